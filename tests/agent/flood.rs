use crate::harness::*;
use crate::program::Program;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const LINES: usize = 40_000;

/// How long it takes to bring `LINES` lines through.
fn time_of_lines(sender: &mut TcpStream, output: &mut TcpStream) -> Duration {
    let began = Instant::now();
    let expected = lines("a", 0..LINES);
    let (sending, mut socket) = (expected.clone(), sender.try_clone().unwrap());
    let sending = std::thread::spawn(move || socket.write_all(sending.as_bytes()).unwrap());
    let mut read = vec![0; expected.len()];
    output.read_exact(&mut read).unwrap();
    sending.join().unwrap();
    assert!(read == expected.as_bytes(), "lines are lost or mixed");
    began.elapsed()
}

#[test]
fn idle_connections_up_to_the_last_descriptor_cost_a_sender_nothing_and_make_room() {
    let collector = Collector::new();
    let config = format!(
        "[sources.app]\ntype = \"tcp\"\naddress = \"127.0.0.1:0\"\nidle_timeout_secs = 2\n\
         [sinks.out]\ntype = \"tcp\"\ninputs = [\"app\"]\naddress = \"{}\"\n",
        collector.address
    );
    let program = Program::start(&config, 100);
    let address = program.address();
    let mut output = collector.accept();
    let mut sender = TcpStream::connect(address).unwrap();
    let alone = time_of_lines(&mut sender, &mut output).min(time_of_lines(&mut sender, &mut output));

    let mut idle: Vec<_> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    until("it is out of descriptors", || (program.log().count("can't accept connections") > 0).then_some(()));
    let trickle = |idle: &mut [TcpStream]| idle.iter_mut().for_each(|socket| socket.write_all(b".").unwrap());
    trickle(&mut idle);
    let beside = time_of_lines(&mut sender, &mut output).min(time_of_lines(&mut sender, &mut output));
    // The machine may be busy with other things; a sender that waits for the others would wait for ever.
    assert!(beside < 5 * alone + Duration::from_secs(2), "{beside:?} instead of {alone:?}");

    trickle(&mut idle);
    let processor_time = program.processor_time();
    std::thread::sleep(Duration::from_secs(1));
    let spent = program.processor_time() - processor_time;
    assert!(spent < Duration::from_millis(300), "it spins: {spent:?} in a second");

    // Its turn comes after those that wait in the queue already, whose turn comes when others have been idle.
    let mut late = TcpStream::connect(address).unwrap();
    late.write_all(b"late\n").unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\nlate\n") {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    assert!(seen.iter().filter(|byte| **byte == b'.').count() >= 100, "the half lines of those that were closed");
    assert!(program.memory_max() < 60 << 20, "{} bytes", program.memory_max());
    drop((idle, late, sender));
    let rest = std::thread::spawn(move || read_all(output));
    let (status, log) = program.stop();
    rest.join().unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(log.count("can't accept connections"), 1, "logged at a bounded rate");
    assert!(log.number("source ended", "closed_idle") >= 100);
}
