//! Blocks of work for a few threads.
//!
//! Threads live for one call: a global pool would hang in a process that was forked after its first use.

use crate::{Error, ErrorKind, Interrupt, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, OnceLock};
use std::time::Duration;

/// The number of threads that this process may run at once; asked once, as the answer is read from files.
pub fn default_threads() -> usize {
    static FOUND: OnceLock<usize> = OnceLock::new();
    *FOUND.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Who does the work of a call.
#[derive(Clone, Copy)]
pub struct Workers<'a> {
    /// The most threads that work at once; at least 1.
    pub threads: usize,
    /// Asked now and then whether to stop.
    pub interrupt: Interrupt<'a>,
}

/// Works off jobs with a few threads, this one among them; each makes its own scratch space once.
///
/// Interrupts are asked for on this thread only, after each of its jobs and while it waits for the other threads.
///
/// # Errors
/// The first error of a job, in the order of the jobs, among those that were begun; `Interrupted`.
pub(crate) fn work_off<J: Send, S>(
    jobs: impl Iterator<Item = J> + Send,
    workers: Workers<'_>,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J) -> Result<()> + Sync,
) -> Result<()> {
    work_off_until(jobs, workers, scratch, |scratch, job, _| work(scratch, job))
}

/// The same for jobs that may be slow, because they ask functions of the caller: each is told to give up, with `Ok`,
/// once such a function failed or the work was interrupted.
///
/// # Errors
/// As [`work_off`].
pub(crate) fn work_off_until<J: Send, S>(
    jobs: impl Iterator<Item = J> + Send,
    Workers { threads, interrupt }: Workers<'_>,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J, &dyn Fn() -> bool) -> Result<()> + Sync,
) -> Result<()> {
    /// While this thread waits for others, interrupts are asked for this often.
    const PAUSE: Duration = Duration::from_millis(50);
    let threads = jobs.size_hint().1.unwrap_or(threads).min(threads);
    let jobs = Mutex::new(jobs.enumerate());
    let failure: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    let stop = AtomicBool::new(false);
    let ended = AtomicBool::new(false);
    let fail = |number: usize, error: Error| {
        stop.store(true, Ordering::Relaxed);
        if matches!(error.kind, ErrorKind::Interrupted | ErrorKind::Callback) {
            ended.store(true, Ordering::Relaxed);
        }
        if let Ok(mut failure) = failure.lock()
            && failure.as_ref().is_none_or(|(earlier, _)| number < *earlier)
        {
            *failure = Some((number, error));
        }
    };
    let running = Mutex::new(0_usize);
    let done = Condvar::new();
    let run = |pause: &dyn Fn() -> bool| {
        let mut scratch = scratch();
        while !stop.load(Ordering::Relaxed) {
            let Some((number, job)) = jobs.lock().ok().and_then(|mut jobs| jobs.next()) else {
                break;
            };
            let result = work(&mut scratch, job, &|| ended.load(Ordering::Relaxed));
            let result = result.and_then(|()| if pause() { Err(Error::interrupted()) } else { Ok(()) });
            if let Err(error) = result {
                fail(number, error);
            }
        }
    };
    let leave = || {
        if let Ok(mut running) = running.lock() {
            *running -= 1;
        }
        done.notify_all();
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // A thread that cannot be had is done without.
            if let Ok(mut running) = running.lock() {
                *running += 1;
            }
            let begun = std::thread::Builder::new().spawn_scoped(scope, || {
                let _leaves = Leaves(&leave);
                run(&|| false);
            });
            if begun.is_err() {
                leave();
                break;
            }
        }
        run(&|| interrupt.stops());
        while let Ok(running) = running.lock()
            && *running > 0
        {
            drop(done.wait_timeout(running, PAUSE));
            if !ended.load(Ordering::Relaxed) && interrupt.stops() {
                fail(usize::MAX, Error::interrupted());
            }
        }
    });
    match failure.into_inner() {
        Ok(Some((_, error))) => Err(error),
        _ => Ok(()),
    }
}

/// Says that a thread ends, also where it panics.
struct Leaves<'a, F: Fn()>(&'a F);

impl<F: Fn()> Drop for Leaves<'_, F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn of(threads: usize, interrupt: Interrupt<'_>) -> Workers<'_> {
        Workers { threads, interrupt }
    }

    #[test]
    fn every_job_is_done_once() {
        for threads in [1, 3] {
            let sum = AtomicUsize::new(0);
            work_off(
                0..1000,
                of(threads, &|| false),
                || (),
                |(), job| {
                    sum.fetch_add(job, Ordering::Relaxed);
                    Ok(())
                },
            )
            .unwrap();
            assert_eq!(sum.into_inner(), 499_500);
        }
    }

    #[test]
    fn errors_and_interrupts_stop_the_work() {
        let refuse = |(): &mut (), job: usize| {
            if job == 7 {
                Err(Error::argument("seven"))
            } else {
                Ok(())
            }
        };
        let error = work_off(0..1000, of(2, &|| false), || (), refuse).unwrap_err();
        assert_eq!(error.message, "seven");
        let error = work_off(0.., of(2, &|| true), || (), |(), _: usize| Ok(())).unwrap_err();
        assert_eq!(error, Error::interrupted());
    }

    #[test]
    fn a_slow_job_gives_up_where_another_failed_or_the_work_is_interrupted() {
        let begun = AtomicBool::new(false);
        let slow = |(): &mut (), job: usize, ended: &dyn Fn() -> bool| {
            if job == 1 {
                while !begun.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                return Err(Error::new(ErrorKind::Callback, "no luck"));
            }
            begun.store(true, Ordering::Relaxed);
            while !ended() {
                std::thread::yield_now();
            }
            Ok(())
        };
        let error = work_off_until(0..2, of(2, &|| false), || (), slow).unwrap_err();
        assert_eq!(error.message, "no luck");
        // Whichever thread takes the slow job, this one is asked whether to stop.
        let here = std::thread::current().id();
        let waits = |(): &mut (), _: usize, ended: &dyn Fn() -> bool| {
            while std::thread::current().id() != here && !ended() {
                std::thread::yield_now();
            }
            Ok(())
        };
        let error = work_off_until(0..1000, of(2, &|| true), || (), waits).unwrap_err();
        assert_eq!(error, Error::interrupted());
    }
}
