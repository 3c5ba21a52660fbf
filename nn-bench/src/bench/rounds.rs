//! The measurement: ours and each peer in turn, round after round.

use std::time::{Duration, Instant};

use nn_core::Error;

use super::busyness::Busyness;
use super::peer_message::Request;
use super::peers::Peers;
use super::results::{PeerResult, WorkloadResult};
use super::statistics::Timings;
use super::workload::{Subject, Workload};

/// How to measure.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// Turns of each side.
    pub count: u32,
    /// Before each turn: until the threads of the side before sleep. OpenMP keeps them awake for up to 0.2 s.
    pub pause: Duration,
    /// A turn repeats a unit of work that takes less until it takes about this long.
    pub turn: Duration,
}

impl Rounds {
    /// As the suites are measured, with this many rounds.
    pub fn new(count: u32) -> Self {
        Self { count, pause: Duration::from_millis(300), turn: Duration::from_millis(200) }
    }

    /// Warms every side up, then lets them take turns. A peer that fails is left out from then on.
    ///
    /// # Errors
    ///
    /// If our side fails.
    pub fn measure(&self, workload: &mut Workload, peers: &mut Peers) -> Result<WorkloadResult, Error> {
        let name = workload.name.clone();
        let ours_units = self.units_of_a_turn(|units| timed(&mut *workload.ours, units))?;
        let mut sides: Vec<Side> = Vec::new();
        for (library, available) in peers.available(workload.peers) {
            let warm = available
                .and_then(|()| self.units_of_a_turn(|units| peers.ask(Request::Run(units), library, &name)));
            let (units, failure) = warm.map_or_else(|reason| (0, Some(reason)), |units| (units, None));
            sides.push(Side { library, units, failure, rounds: Vec::new() });
        }
        let (mut ours, mut busyness) = (Vec::new(), Busyness::default());
        for _ in 0..self.count {
            busyness.pause(self.pause);
            ours.push(timed(&mut *workload.ours, ours_units)? / f64::from(ours_units));
            for side in sides.iter_mut().filter(|side| side.failure.is_none()) {
                busyness.pause(self.pause);
                match peers.ask(Request::Run(side.units), side.library, &name) {
                    Ok(seconds) => side.rounds.push(seconds / f64::from(side.units)),
                    Err(reason) => side.failure = Some(reason),
                }
            }
        }
        let ours = Timings::new(ours, ours_units);
        let peers = sides.into_iter().map(|side| side.result(&ours, &name, peers)).collect();
        let figure = workload.ours.figure()?;
        Ok(WorkloadResult::new(workload, ours, figure, busyness.share(), peers))
    }

    /// Runs a few units, and says how many fill a turn.
    fn units_of_a_turn<E>(&self, mut run: impl FnMut(u32) -> Result<f64, E>) -> Result<u32, E> {
        let mut seconds = run(1)?;
        let turn = self.turn.as_secs_f64();
        if seconds < turn / 2.0 {
            // The first time is not representative: memory and threads are still being made.
            let units = units_within(turn / 2.0, seconds);
            seconds = run(units)? / f64::from(units);
        }
        Ok(units_within(turn, seconds))
    }
}

/// One peer while it is being measured.
struct Side {
    library: &'static str,
    units: u32,
    failure: Option<String>,
    rounds: Vec<f64>,
}

impl Side {
    fn result(self, ours: &Timings, workload: &str, peers: &mut Peers) -> PeerResult {
        match self.failure {
            Some(reason) => PeerResult::skipped(self.library, reason),
            None => {
                let figure = peers.ask(Request::Figure, self.library, workload).ok();
                PeerResult::measured(self.library, Timings::new(self.rounds, self.units), ours, figure)
            }
        }
    }
}

/// Seconds of this many units of our work.
fn timed(subject: &mut dyn Subject, units: u32) -> Result<f64, Error> {
    let began = Instant::now();
    for _ in 0..units {
        subject.unit()?;
    }
    subject.wait()?;
    // A clock that stands still between two looks would make ratios infinite.
    Ok(began.elapsed().as_secs_f64().max(1e-9))
}

fn units_within(goal: f64, seconds: f64) -> u32 {
    (goal / seconds).ceil().clamp(1.0, 10_000.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::amount::Amount;

    const SHORT: Rounds = Rounds { count: 3, pause: Duration::ZERO, turn: Duration::from_millis(4) };

    /// Takes a millisecond, and counts.
    struct Nap(u32);

    impl Subject for Nap {
        fn unit(&mut self) -> Result<(), Error> {
            self.0 += 1;
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        }
        fn figure(&mut self) -> Result<f64, Error> {
            Ok(f64::from(self.0))
        }
    }

    fn nap() -> Workload {
        let (name, work) = ("nap".to_string(), "a millisecond".to_string());
        let amount = Amount::Flop(1e6);
        let (figure, peers) = ("naps", &["torch"][..]);
        Workload { name, work, amount, yardstick: false, figure, peers, ours: Box::new(Nap(0)) }
    }

    #[test]
    fn short_work_is_repeated_and_long_work_is_not() {
        let mut asked = Vec::new();
        let fast = |units: u32| -> Result<f64, ()> {
            asked.push(units);
            Ok(0.5e-3 * f64::from(units))
        };
        assert_eq!(SHORT.units_of_a_turn(fast), Ok(8));
        assert_eq!(asked, [1, 4]);
        assert_eq!(SHORT.units_of_a_turn(|units| Ok::<_, ()>(f64::from(units))), Ok(1));
    }

    #[test]
    fn every_round_is_kept_and_an_absent_peer_has_its_reason() {
        let result = SHORT.measure(&mut nap(), &mut Peers::Absent("gone".to_string())).unwrap();
        assert_eq!(result.ours.rounds_s.len(), 3);
        assert!(result.ours.min_s >= 1e-3 && result.ours.median_s >= result.ours.min_s);
        let PeerResult { library, skipped, ratio, .. } = &result.peers[0];
        assert_eq!((*library, skipped.as_deref(), ratio), ("torch", Some("gone"), &None));
        let alone = SHORT.measure(&mut nap(), &mut Peers::NotAsked).unwrap();
        assert!(alone.peers.is_empty());
    }
}
