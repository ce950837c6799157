//! What is read: files as they are, and what gzip and zstd made of them.

use flate2::bufread::MultiGzDecoder;
use rustix::fs::{FileType, Mode, OFlags};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// An input that is open, or the reason why it is not read.
#[allow(missing_debug_implementations, reason = "a reader of whatever kind has nothing to show")]
pub enum Opened {
    /// Its bytes, decompressed.
    Reader(Box<dyn Read>),
    /// It was read before, by whatever name.
    Again,
    /// No file with an end: a FIFO, a socket, a device.
    Special,
}

/// Standard input, decompressed.
///
/// # Errors
/// When nothing can be read from it.
pub fn open_stdin() -> io::Result<Box<dyn Read>> {
    decompressed(io::stdin().lock())
}

/// Opens a file. One that the user named may be anything that can be read; of what is met on the way only files are.
pub(super) fn open(path: &Path, is_named: bool, is_new: impl FnOnce((u64, u64)) -> bool) -> io::Result<Opened> {
    let file = if is_named {
        File::open(path)?
    } else {
        // Between the look at the directory and now it may have become a FIFO or a symlink.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
        File::from(rustix::fs::open(path, flags, Mode::empty())?)
    };
    let metadata = file.metadata()?;
    let file_type = FileType::from_raw_mode(metadata.mode());
    if !is_named && !file_type.is_file() {
        return Ok(Opened::Special);
    }
    if file_type.is_file() && !is_new((metadata.dev(), metadata.ino())) {
        return Ok(Opened::Again);
    }
    decompressed(file).map(Opened::Reader)
}

const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
/// RFC 8878 §3.1.1, and §3.1.2 for frames that hold something else.
const ZSTD: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The first bytes decide, not the name.
fn decompressed(mut input: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut head = Vec::new();
    (&mut input).take(4).read_to_end(&mut head)?;
    let is_gzip = head.starts_with(&GZIP);
    let is_zstd = head == ZSTD || head.len() == 4 && head[0] & 0xf0 == 0x50 && head[1..] == SKIPPABLE;
    let input = Cursor::new(head).chain(input);
    Ok(if is_gzip {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, input)))
    } else if is_zstd {
        Box::new(Zstd::new(BufReader::with_capacity(BUFFER_BYTES, input)))
    } else {
        Box::new(input)
    })
}

const BUFFER_BYTES: usize = 64 << 10;

/// The frames of a zstd file one behind the other. A frame that asks for a window over 128 MiB is refused.
struct Zstd<R> {
    input: R,
    decoder: FrameDecoder,
}

impl<R: BufRead> Zstd<R> {
    fn new(input: R) -> Self {
        Self { input, decoder: FrameDecoder::new() }
    }

    /// Goes to the next frame; false at the end.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.init(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut (&mut self.input).take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(broken(&error)),
            }
        }
    }

    fn check(&self) -> io::Result<()> {
        let written = self.decoder.get_checksum_from_data();
        if written.is_some() && written != self.decoder.get_calculated_checksum() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the zstd checksum is wrong"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let len = self.decoder.read(out)?;
            if len > 0 || out.is_empty() {
                return Ok(len);
            }
            if !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.input, one).map_err(|error| broken(&error))?;
                continue;
            }
            self.check()?;
            if !self.next_frame()? {
                return Ok(0);
            }
        }
    }
}

/// The decoder's own words may quote numbers of the data; that it is broken is all that a user can use.
fn broken(error: &FrameDecoderError) -> io::Error {
    let why = match error {
        FrameDecoderError::WindowSizeTooBig { .. } => "the zstd window is over 128 MiB",
        FrameDecoderError::DictNotProvided { .. } => "the zstd frame needs a dictionary",
        _ => "the zstd data is broken or cut",
    };
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn read(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompressed(Cursor::new(bytes))?.read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn the_first_bytes_decide() {
        assert_eq!(read(b"plain".to_vec()).unwrap(), b"plain");
        assert_eq!(read(b"\x1f\x8b".to_vec()).unwrap(), b"\x1f\x8b");
        assert_eq!(read(Vec::new()).unwrap(), b"");
        assert_eq!(read(gzip(b"packed")).unwrap(), b"packed");
        assert_eq!(read(zstd(b"packed")).unwrap(), b"packed");
    }

    #[test]
    fn members_and_frames_are_read_one_behind_the_other() {
        assert_eq!(read([gzip(b"one "), gzip(b"two")].concat()).unwrap(), b"one two");
        let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        assert_eq!(read([skippable, zstd(b"one "), zstd(b""), zstd(b"two")].concat()).unwrap(), b"one two");
    }

    #[test]
    fn what_is_broken_or_cut_is_an_error() {
        for whole in [gzip(&[b'a'; 1000]), zstd(&[b'a'; 1000])] {
            for len in 5..whole.len() {
                assert!(read(whole[..len].to_vec()).is_err(), "{len} of {}", whole.len());
            }
            assert!(read([&whole[..], b"garbage"].concat()).is_err());
        }
    }

    #[test]
    fn a_wrong_checksum_is_an_error() {
        let mut packed = zstd(b"packed");
        assert!(packed[4] & 4 != 0, "this encoder writes a checksum");
        *packed.last_mut().unwrap() ^= 1;
        assert!(read(packed).is_err());
    }
}
