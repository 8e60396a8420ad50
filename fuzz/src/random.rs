//! Random cases, as many as are asked for or as there is time for; a failing one is shrunk and printed. Needs nothing but stable Rust.

#[path = "../../tests/programs/mod.rs"]
#[allow(dead_code, unreachable_pub)]
mod programs;

use programs::case::{Case, Tally, bytes};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use std::cell::{Cell, RefCell};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const USAGE: &str = "usage: random [--seconds SECONDS | --cases NUMBER] [--seed SEED] [--case HEXADECIMAL]";

fn main() -> ExitCode {
    let (mut seconds, mut cases, mut seed, mut case) = (60.0, None, 0, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().expect(USAGE);
        match &*name {
            "--seconds" => seconds = value.parse().expect(USAGE),
            "--cases" => cases = Some(value.parse::<u64>().expect(USAGE)),
            "--seed" => seed = value.parse().expect(USAGE),
            "--case" => case = Some(from_hexadecimal(&value).expect(USAGE)),
            _ => panic!("{USAGE}"),
        }
    }
    if let Some(case) = case {
        let mut case = Case::of(&case);
        case.patience = Duration::from_secs(600);
        println!("{case:#?}");
        println!("{}", case.check());
        return ExitCode::SUCCESS;
    }
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let drawn = Cell::new(0);
    let goes_on = || cases.map_or_else(|| Instant::now() < end, |cases| drawn.get() < cases);
    let tally = RefCell::new(Tally::default());
    let failed = Cell::new(false);
    // What panics is told once, when it is shrunk.
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(mut said) = SAID.lock() {
            *said = panic.to_string();
        }
    }));
    let mut round = 0;
    while goes_on() {
        let mut runner = TestRunner::new(Config {
            cases: 100,
            failure_persistence: None,
            max_shrink_time: 20_000,
            max_shrink_iters: 10_000,
            rng_seed: RngSeed::Fixed(seed + round),
            ..Config::default()
        });
        let result = runner.run(&bytes(), |bytes| {
            if goes_on() || failed.get() {
                drawn.set(drawn.get() + 1);
                let found = holds(&bytes).map_err(|reason| {
                    failed.set(true);
                    TestCaseError::fail(reason)
                })?;
                if !failed.get() {
                    tally.borrow_mut().add(found);
                }
            }
            Ok(())
        });
        if let Err(TestError::Fail(reason, bytes)) = result {
            println!("random: {} until a failure with seed {}", tally.borrow(), seed + round);
            println!("{:#?}\n{reason}", Case::of(&bytes));
            println!(
                "again: cargo run --release --manifest-path fuzz/Cargo.toml --bin random -- --case {}",
                hexadecimal(&bytes)
            );
            return ExitCode::FAILURE;
        }
        round += 1;
    }
    println!("random: {}", tally.borrow());
    ExitCode::SUCCESS
}

/// What was panicked with last, and where.
static SAID: Mutex<String> = Mutex::new(String::new());

/// Checks a case; what it panics with becomes a reason.
fn holds(bytes: &[u8]) -> Result<Tally, String> {
    std::panic::catch_unwind(|| Case::of(bytes).check())
        .map_err(|_| SAID.lock().map_or_else(|_| String::new(), |said| said.clone()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
        .collect()
}
