//! Threads that share the numbers of a loop, and wait for the next loop by spinning for a moment before they sleep.
//!
//! Training is thousands of short parallel loops a second with a few microseconds between them. Waking a sleeping
//! thread takes longer than many of these loops, so helpers keep looking for work for a while. The caller takes numbers
//! like everyone else and never waits for a helper that has not begun: on a busy machine it just does more itself.
//!
//! How many threads take part is what the current `rayon` pool says; one loop runs at a time, a loop that starts inside
//! or beside another one runs on its own thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::{
        Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// How long a helper looks for work before it sleeps.
const SPIN: Duration = Duration::from_micros(200);

/// What runs on every thread of a loop: it takes numbers until there are none left.
pub(super) type Worker<'w> = &'w (dyn Fn(&mut dyn Iterator<Item = usize>) + Sync);

/// One loop.
struct Job<'w> {
    worker: Worker<'w>,
    count: usize,
    next: AtomicUsize,
    /// How many more helpers may join.
    places: AtomicUsize,
    panicked: AtomicBool,
}

impl Job<'_> {
    fn work(&self) {
        let mut numbers =
            std::iter::from_fn(|| Some(self.next.fetch_add(1, SeqCst)).filter(|&i| i < self.count));
        (self.worker)(&mut numbers);
    }

    fn take_place(&self) -> bool {
        self.places.fetch_update(SeqCst, SeqCst, |places| places.checked_sub(1)).is_ok()
    }
}

/// The helpers of the process and what they look at.
struct Team {
    /// Held by the caller whose loop runs.
    busy: Mutex<()>,
    /// Counts loops, so that a helper joins each at most once.
    ticket: AtomicU64,
    /// The loop that runs, or null.
    job: AtomicPtr<Job<'static>>,
    /// Helpers that may be looking at `job`.
    active: AtomicUsize,
    /// Helpers that sleep.
    sleeping: AtomicUsize,
    bed: Mutex<()>,
    alarm: Condvar,
}

/// Calls `worker` on up to `threads` threads; together they take the numbers below `count`, each number once.
///
/// # Panics
/// If a worker does.
pub(super) fn share(count: usize, threads: usize, worker: Worker<'_>) {
    let helpers = threads.min(count).saturating_sub(1);
    let team = Team::get();
    let turn = if helpers == 0 { None } else { team.busy.try_lock().ok() };
    let Some(turn) = turn else { return worker(&mut (0..count)) };
    let job = Job {
        worker,
        count,
        next: AtomicUsize::new(0),
        places: AtomicUsize::new(helpers),
        panicked: AtomicBool::new(false),
    };
    {
        let _open = team.open(&job);
        job.work();
    }
    drop(turn);
    assert!(!job.panicked.load(SeqCst), "a thread of a parallel loop panicked");
}

/// The results of `work` for the numbers below `count`, in order, from as many threads as the current `rayon` pool has. Each
/// thread begins with what `begin` returns and passes it from one number to the next.
///
/// For loops that take less than a millisecond: the threads keep looking for the next one for a moment, while those of
/// `rayon` would have to be woken. Inside another such loop it runs on its own thread.
///
/// # Panics
/// If `begin` or `work` does.
pub fn in_parallel<W, T: Send>(
    count: usize,
    begin: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, usize) -> T + Sync,
) -> Vec<T> {
    let results: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    share(count, rayon::current_num_threads(), &|numbers| {
        let mut workspace = begin();
        for number in numbers {
            let result = work(&mut workspace, number);
            *results[number].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
    });
    let result = |slot: Mutex<Option<T>>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().filter_map(result).collect()
}

/// Closes the loop when the caller is done, also by a panic, and waits for those that are inside.
struct Open<'t>(&'t Team);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.job.store(ptr::null_mut(), SeqCst);
        let mut spins = 0u32;
        while self.0.active.load(SeqCst) > 0 {
            spins += 1;
            // A helper that is not done after this long was put aside by the system: give it the processor.
            if spins > 10_000 { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

impl Team {
    fn get() -> &'static Team {
        static TEAM: OnceLock<Team> = OnceLock::new();
        static HELPERS: OnceLock<()> = OnceLock::new();
        let team = TEAM.get_or_init(|| Team {
            busy: Mutex::new(()),
            ticket: AtomicU64::new(0),
            job: AtomicPtr::new(ptr::null_mut()),
            active: AtomicUsize::new(0),
            sleeping: AtomicUsize::new(0),
            bed: Mutex::new(()),
            alarm: Condvar::new(),
        });
        HELPERS.get_or_init(|| {
            for number in 1..rayon::current_num_threads().max(2) {
                // Without threads the caller does everything: slower, but right.
                let helper = std::thread::Builder::new().name(format!("nn-core-{number}"));
                let _ = helper.spawn(move || team.help());
            }
        });
        team
    }

    fn open(&self, job: &Job<'_>) -> Open<'_> {
        self.job.store(ptr::from_ref(job).cast_mut().cast(), SeqCst);
        self.ticket.fetch_add(1, SeqCst);
        if self.sleeping.load(SeqCst) > 0 {
            let _bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
            self.alarm.notify_all();
        }
        Open(self)
    }

    /// The life of a helper.
    fn help(&self) {
        let mut seen = 0;
        loop {
            seen = self.wait(seen);
            self.active.fetch_add(1, SeqCst);
            // Read again now that the caller waits for this thread: null if the loop has closed meanwhile.
            let job = self.job.load(SeqCst);
            // SAFETY: a job that is not null after `active` was raised lives until its caller has seen `active` at
            // zero: `Open::drop` stores null first and waits then.
            if let Some(job) = unsafe { job.as_ref() }
                && job.take_place()
                && catch_unwind(AssertUnwindSafe(|| job.work())).is_err()
            {
                job.panicked.store(true, SeqCst);
            }
            self.active.fetch_sub(1, SeqCst);
        }
    }

    /// Waits until a loop after number `seen` has started, and returns its number.
    fn wait(&self, seen: u64) -> u64 {
        let start = Instant::now();
        loop {
            for _ in 0..100 {
                let ticket = self.ticket.load(SeqCst);
                if ticket != seen {
                    return ticket;
                }
                std::hint::spin_loop();
            }
            if start.elapsed() > SPIN {
                break;
            }
        }
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        // Raised before the ticket is read, as the caller raises the ticket before it reads this: one sees the other.
        self.sleeping.fetch_add(1, SeqCst);
        while self.ticket.load(SeqCst) == seen {
            bed = self.alarm.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleeping.fetch_sub(1, SeqCst);
        self.ticket.load(SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(count: usize, threads: usize) -> usize {
        let total = AtomicUsize::new(0);
        share(count, threads, &|numbers| {
            for number in numbers {
                total.fetch_add(number + 1, SeqCst);
            }
        });
        total.into_inner()
    }

    #[test]
    fn every_number_is_taken_once() {
        for count in [0, 1, 2, 7, 1000] {
            for threads in [1, 2, 5] {
                assert_eq!(sum(count, threads), count * (count + 1) / 2);
            }
        }
    }

    #[test]
    fn results_are_in_order() {
        let squares = in_parallel(100, Vec::new, |seen, number| {
            // Numbers rise within a thread.
            assert!(seen.last().is_none_or(|last| *last < number));
            seen.push(number);
            number * number
        });
        assert_eq!(squares, (0..100).map(|number| number * number).collect::<Vec<_>>());
    }

    #[test]
    fn many_loops_in_a_row_from_many_threads_at_once() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2000).for_each(|_| assert_eq!(sum(10, 2), 55)));
            }
        });
    }

    #[test]
    fn loops_inside_loops_run() {
        let total = AtomicUsize::new(0);
        share(8, 2, &|numbers| {
            for _ in numbers {
                total.fetch_add(sum(4, 2), SeqCst);
            }
        });
        assert_eq!(total.into_inner(), 80);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_lives_on() {
        let failing = || {
            share(64, 2, &|numbers| {
                for number in numbers {
                    assert!(number != 40, "forty");
                }
            });
        };
        assert!(catch_unwind(failing).is_err());
        assert_eq!(sum(100, 2), 5050);
    }

    #[test]
    fn sleeping_helpers_are_woken() {
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(2));
            assert_eq!(sum(100, 2), 5050);
        }
    }
}
