//! Cases of bytes that libFuzzer makes, guided by which branches of the engine they reach.

#![no_main]

#[path = "../../tests/programs/mod.rs"]
#[allow(dead_code, unreachable_pub)]
mod programs;

use libfuzzer_sys::fuzz_target;
use programs::case::{Case, Tally};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// What was done so far, and when it was said last.
static DONE: LazyLock<Mutex<(Tally, Instant)>> = LazyLock::new(|| Mutex::new((Tally::default(), Instant::now())));

fuzz_target!(|bytes: &[u8]| {
    let found = Case::of(bytes).check();
    let mut done = DONE.lock().expect("no case panics while it is locked");
    done.0.add(found);
    if done.1.elapsed() > Duration::from_secs(1) {
        println!("guided: {}", done.0);
        done.1 = Instant::now();
    }
});
