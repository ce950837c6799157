//! Reads lines, replaces what the patterns given as arguments match, and writes the lines: a transform of Vector without
//! Vector around it.

use std::error::Error;
use std::io::{BufRead, BufReader, BufWriter, Write, stdin, stdout};
use vrl::compiler::runtime::Runtime;
use vrl::compiler::{TargetValue, TimeZone, compile};
use vrl::value::{Secrets, Value};

const BLOCK_LEN: usize = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let filters: Vec<_> = std::env::args().skip(1).map(|pattern| format!("r'{pattern}'")).collect();
    let source = format!(
        r#". = redact(string!(.), filters: [{}], redactor: {{"type": "text", "replacement": "[REDACTED]"}})"#,
        filters.join(", ")
    );
    let program = compile(&source, &vrl::stdlib::all()).map_err(|errors| format!("{errors:?}"))?.program;
    let mut runtime = Runtime::default();
    let mut input = BufReader::with_capacity(BLOCK_LEN, stdin().lock());
    let mut output = BufWriter::with_capacity(BLOCK_LEN, stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let value = Value::from(String::from_utf8_lossy(&line).into_owned());
        let mut target = TargetValue { value, metadata: Value::Object(Default::default()), secrets: Secrets::default() };
        let redacted = runtime
            .resolve(&mut target, &program, &TimeZone::default())
            .map_err(|error| format!("{error:?}"))?;
        output.write_all(redacted.as_bytes().ok_or("no string")?)?;
        runtime.clear();
    }
    output.flush()?;
    Ok(())
}
