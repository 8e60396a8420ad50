//! Blocks of work for a few threads.
//!
//! Threads live for one call: a global pool would hang in a process that was forked after its first use.

use super::Interrupt;
use crate::{Error, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The number of threads that this process may run at once.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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
/// Interrupts are asked for on this thread only, after each of its jobs.
///
/// # Errors
/// The first error of a job, in the order of the jobs, among those that were begun; `Interrupted`.
pub(super) fn work_off<J: Send, S>(
    jobs: impl Iterator<Item = J> + Send,
    Workers { threads, interrupt }: Workers<'_>,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J) -> Result<()> + Sync,
) -> Result<()> {
    let threads = jobs.size_hint().1.unwrap_or(threads).min(threads);
    let jobs = Mutex::new(jobs.enumerate());
    let failure: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    let stop = AtomicBool::new(false);
    let run = |pause: &dyn Fn() -> bool| {
        let mut scratch = scratch();
        while !stop.load(Ordering::Relaxed) {
            let Some((number, job)) = jobs.lock().ok().and_then(|mut jobs| jobs.next()) else {
                break;
            };
            let result = work(&mut scratch, job);
            let result = result.and_then(|()| if pause() { Err(Error::interrupted()) } else { Ok(()) });
            if let Err(error) = result {
                stop.store(true, Ordering::Relaxed);
                if let Ok(mut failure) = failure.lock()
                    && failure.as_ref().is_none_or(|(earlier, _)| number < *earlier)
                {
                    *failure = Some((number, error));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // A thread that cannot be had is done without.
            if std::thread::Builder::new()
                .spawn_scoped(scope, || run(&|| false))
                .is_err()
            {
                break;
            }
        }
        run(interrupt);
    });
    match failure.into_inner() {
        Ok(Some((_, error))) => Err(error),
        _ => Ok(()),
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
}
