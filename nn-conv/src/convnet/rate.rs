//! Learning rates as functions of the progress of training, 0 at its beginning and 1 at its end.

use super::ini::Section;
use nn_core::{Error, Schedule};

/// What `epsW` or `epsB` says, with a base b and a factor f.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rate {
    /// b: a number, or `const[base=b]`.
    Constant { base: f64 },
    /// b · (1 − progress) + (b/f) · progress: `linear[base=b;tgtFactor=f]`.
    Linear { base: f64, factor: f64 },
    /// b · f^−progress: `exp[base=b;tgtFactor=f]`.
    Exponential { base: f64, factor: f64 },
    /// b · f^(−i / (n − 1)) in the i-th of n equal parts, the end of a part belonging to it:
    /// `dexp[base=b;tgtFactor=f;numSteps=n]`.
    Steps { base: f64, factor: f64, steps: u32 },
}

const ALLOWED: &str = "a rate is a number of 0 or more, const[base=B], linear[base=B;tgtFactor=F], \
                       exp[base=B;tgtFactor=F] or dexp[base=B;tgtFactor=F;numSteps=N], with F above 0 and N of 2 or more";

impl Rate {
    /// A parameter of the parameter file.
    pub(super) fn read(section: &Section, name: &str, whose: &str) -> Result<Rate, Error> {
        section.needed(name, whose)?;
        let text = section.single(name)?.unwrap_or_default();
        Rate::parse(text).ok_or_else(|| section.refuse(name, ALLOWED))
    }

    fn parse(text: &str) -> Option<Rate> {
        let Some((kind, rest)) = text.split_once('[') else {
            return Some(Rate::Constant { base: number(text).filter(|base| *base >= 0.0)? });
        };
        let mut found = [None; 3];
        let names = ["base", "tgtFactor", "numSteps"];
        for pair in rest.trim_end().strip_suffix(']')?.split(';') {
            let (name, value) = pair.split_once('=')?;
            let at = names.iter().position(|known| *known == name.trim())?;
            found[at] = Some(number(value)?);
        }
        let [base, factor, steps] = found;
        let (base, positive) = (base.filter(|base| *base >= 0.0)?, |factor: f64| factor > 0.0);
        match (kind.trim(), factor, steps) {
            ("const", None, None) => Some(Rate::Constant { base }),
            ("linear", Some(factor), None) if positive(factor) => Some(Rate::Linear { base, factor }),
            ("exp", Some(factor), None) if positive(factor) => Some(Rate::Exponential { base, factor }),
            ("dexp", Some(factor), Some(steps))
                if positive(factor) && steps.fract() == 0.0 && (2.0..1e6).contains(&steps) =>
            {
                Some(Rate::Steps { base, factor, steps: steps as u32 })
            }
            _ => None,
        }
    }

    /// The rate at this progress.
    pub(super) fn at(self, progress: f64) -> f64 {
        match self {
            Rate::Constant { base } => base,
            Rate::Linear { base, factor } => base * (1.0 - progress) + base / factor * progress,
            Rate::Exponential { base, factor } => base * factor.powf(-progress),
            Rate::Steps { base, factor, steps } => {
                let last = f64::from(steps - 1);
                let part = (0..steps).find(|part| progress <= f64::from(part + 1) / f64::from(steps));
                base * factor.powf(-part.map_or(last, f64::from) / last)
            }
        }
    }

    /// The rate times a coefficient over updates, where `progress` says from which update on how far training is.
    pub(super) fn schedule(self, progress: &[(u64, f64)], coefficient: f64) -> Schedule {
        let value = |progress: f64| (coefficient * self.at(progress)) as f32;
        if matches!(self, Rate::Constant { .. }) || progress.is_empty() {
            return value(0.0).into();
        }
        let mut entries: Vec<(u64, f32)> =
            progress.iter().map(|(update, at)| (*update, value(*at))).collect();
        entries.dedup_by_key(|(_, value)| *value);
        // What came before has passed.
        entries[0].0 = 0;
        Schedule::Steps(entries)
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::ini::IniFile;
    use super::*;

    fn read(value: &str) -> Result<Rate, Error> {
        let file = IniFile::parse("p.cfg", &format!("[fc]\nepsW={value}\n")).unwrap();
        Rate::read(&file.sections[0], "epsW", "a layer of type fc")
    }

    /// The schedule of the network for ImageNet: 0.01 and a 250th of it, in four steps.
    #[test]
    fn rates_by_hand() {
        let steps = read("dexp[base=0.01;tgtFactor=250;numSteps=4]").unwrap();
        for (progress, exponent) in
            [(0.0, 0.0), (0.25, 0.0), (0.26, 1.0), (0.5, 1.0), (0.75, 2.0), (1.0, 3.0)]
        {
            let expected = 0.01 * 250f64.powf(-exponent / 3.0);
            assert!((steps.at(progress) - expected).abs() < 1e-12, "{progress}");
        }
        assert!((read("exp[base=2; tgtFactor=4]").unwrap().at(0.5) - 1.0).abs() < 1e-12);
        assert!((read("linear[base=2;tgtFactor=4]").unwrap().at(0.5) - 1.25).abs() < 1e-12);
        assert_eq!(read("const[base=0.5]").unwrap(), read("0.5").unwrap());
        assert_eq!(read("1e-3").unwrap().at(0.7), 0.001);
    }

    #[test]
    fn schedules_change_where_progress_does() {
        let rate = read("dexp[base=1;tgtFactor=4;numSteps=2]").unwrap();
        let progress = [(30, 0.25), (40, 0.5), (50, 0.75), (60, 1.0)];
        assert_eq!(rate.schedule(&progress, 2.0), Schedule::Steps(vec![(0, 2.0), (50, 0.5)]));
        assert_eq!(read("0.5").unwrap().schedule(&progress, 2.0), Schedule::Constant(1.0));
    }

    #[test]
    fn other_rates_are_refused() {
        for value in [
            "fast",
            "-1",
            "nan",
            "exp[base=1]",
            "exp[tgtFactor=4]",
            "exp[base=1;tgtFactor=0]",
            "const[base=1;tgtFactor=2]",
            "dexp[base=1;tgtFactor=2;numSteps=1]",
            "dexp[base=1;tgtFactor=2;numSteps=2",
            "dexp[base=1;factor=2;numSteps=2]",
            "tanh[base=1;tgtFactor=2]",
        ] {
            let message = read(value).unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("p.cfg, line 2: [fc] epsW is `{value}`, but a rate is")),
                "{message}"
            );
        }
        assert!(read("0.1,0.2").unwrap_err().to_string().contains("a value for each input"));
    }
}
