//! What the two files say of one layer, before the size of the images is known.

use super::{
    chain::Node,
    ini::{IniFile, Section},
    neuron::neuron,
    rate::Rate,
};
use crate::{Neighbors, Normalization, Pool};
use nn_core::{Activation, Error};

/// A layer as its files describe it.
#[derive(Clone, Debug)]
pub(super) struct Description {
    /// Of the layer file, for errors.
    pub(super) section: Section,
    /// Channels of its images, where it sees its inputs as images.
    pub(super) channels: Option<usize>,
    pub(super) kind: Kind,
    pub(super) neuron: Activation,
    pub(super) learned: Option<Learned>,
}

/// What a layer computes.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Filters {
        untied: bool,
        maps: usize,
        size: usize,
        padding: usize,
        stride: usize,
        groups: usize,
        own_biases: bool,
    },
    /// With a dropout of its outputs.
    Dense {
        outputs: usize,
        dropout: f32,
    },
    Pool {
        pool: Pool,
        size: usize,
        start: isize,
        stride: usize,
        outputs: usize,
    },
    Response(Neighbors, Normalization),
    Contrast(Normalization),
    Softmax,
    Neuron,
    /// With a probability to be left out, and whether values that are kept are enlarged while learning, instead of all
    /// being made smaller afterwards.
    Dropout(f32, bool),
}

/// First values and rules of weights and biases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learned {
    /// initW
    pub(super) deviation: f64,
    /// initB
    pub(super) biases: f32,
    /// epsW, momW and wc; epsB and momB.
    pub(super) rules: [Rule; 2],
}

/// How parameters are changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) rate: Rate,
    pub(super) momentum: f32,
    pub(super) decay: f64,
}

impl Description {
    /// The layer of a node of the layer file, with its section of the parameter file.
    ///
    /// # Errors
    /// [`Error::Setting`] for parameters that are missing, mean nothing or ask for what is not there.
    pub(super) fn read(node: &Node<'_>, parameters: &IniFile) -> Result<Description, Error> {
        let (section, kind) = (node.section, node.kind);
        let own = parameters.section(&section.name);
        own.map_or(Ok(()), |own| kind.check_parameters(own))?;
        let whose = kind.whose();
        let needed = || {
            own.ok_or_else(|| {
                let allowed = format!("{whose} needs it");
                Error::setting(&format!("{}: [{}]", parameters.name, section.name), "missing", &allowed)
            })
        };
        let with_images = ["conv", "local", "pool", "rnorm", "cmrnorm", "cnorm"].contains(&kind.name);
        let channels = with_images.then(|| section.count("channels", 1, None)).transpose()?;
        let learned = ["conv", "local", "fc"].contains(&kind.name);
        let learned = learned.then(|| learned_by(section, needed()?, &whose)).transpose()?;
        let kind = match kind.name {
            "conv" | "local" => filters(section, kind.name == "local", channels.unwrap_or(1))?,
            "fc" => {
                let outputs = section.count("outputs", 1, None)?;
                let place =
                    [own, Some(section)].into_iter().flatten().find(|at| at.text("dropout").is_some());
                Kind::Dense { outputs, dropout: probability(place.unwrap_or(section), "dropout", 0.0)? }
            }
            "pool" => pool(section)?,
            "rnorm" => Kind::Response(Neighbors::WithinMap, normalization(section, needed()?)?),
            "cmrnorm" if section.flag("blocked", false)? => {
                return Err(section.refuse("blocked", "neighbouring maps here slide, which is blocked=0"));
            }
            "cmrnorm" => Kind::Response(Neighbors::AcrossMaps, normalization(section, needed()?)?),
            "cnorm" => Kind::Contrast(normalization(section, needed()?)?),
            "softmax" => Kind::Softmax,
            "neuron" => {
                section.needed("neuron", &whose)?;
                Kind::Neuron
            }
            _ => Kind::Dropout(dropout(section, own)?, kind.name == "dropout"),
        };
        let section = section.clone();
        Ok(Description { neuron: neuron(&section)?, section, channels, kind, learned })
    }
}

fn filters(section: &Section, untied: bool, channels: usize) -> Result<Kind, Error> {
    let groups = section.count("groups", 1, Some(1))?;
    if section.flag("randSparse", false)? {
        return Err(section
            .refuse("randSparse", "filters here see all channels of their group, which is randSparse=0"));
    }
    if section.text("filterChannels").is_some()
        && section.count("filterChannels", 1, None)? * groups != channels
    {
        let allowed = format!("filters here see {channels} channels / {groups} groups; leave it out");
        return Err(section.refuse("filterChannels", &allowed));
    }
    let own_biases = !section.flag("sharedBiases", !untied)?;
    if untied && !own_biases {
        return Err(section.refuse(
            "sharedBiases",
            "untied filters here have biases of their own, which is sharedBiases=0",
        ));
    }
    if own_biases && groups > 1 && !untied {
        return Err(
            section.refuse("sharedBiases", "filters in groups here share biases, which is sharedBiases=1")
        );
    }
    Ok(Kind::Filters {
        untied,
        maps: section.count("filters", 1, None)?,
        size: section.count("filterSize", 1, None)?,
        padding: section.count("padding", 0, Some(0))?,
        stride: section.count("stride", 1, Some(1))?,
        groups,
        own_biases,
    })
}

fn pool(section: &Section) -> Result<Kind, Error> {
    let pool = match section.text("pool") {
        Some("max") => Pool::Max,
        Some("avg") => Pool::Average,
        _ => return Err(section.refuse("pool", "the pools are max and avg")),
    };
    let size = section.count("sizeX", 1, None)?;
    Ok(Kind::Pool {
        pool,
        size,
        start: section.whole("start", [-(size as i64), 0], Some(0))? as isize,
        stride: section.whole("stride", [1, size as i64], None)? as usize,
        outputs: section.count("outputsX", 0, Some(0))?,
    })
}

fn normalization(section: &Section, own: &Section) -> Result<Normalization, Error> {
    let positive =
        |name, default| own.real(name, default, "it must be a number above 0", |value| value > 0.0);
    let normalization = Normalization::new(
        section.count("size", 1, None)?,
        own.real("scale", None, "it must be a number of 0 or more", |value| value >= 0.0)?,
        own.real("pow", None, "it must be a number", |_| true)?,
    );
    Ok(Normalization { offset: positive("minDiv", Some(1.0))?, ..normalization })
}

/// The share of values that a layer of type dropout leaves out.
fn dropout(section: &Section, own: Option<&Section>) -> Result<f32, Error> {
    let holder = |name: &str| own.filter(|own| own.text(name).is_some()).unwrap_or(section);
    let keep =
        holder("keep").real("keep", Some(0.5), "it must be a number above 0, and at most 1", |keep| {
            0.0 < keep && keep <= 1.0
        })?;
    Ok(if holder("enable").flag("enable", true)? { (1.0 - keep) as f32 } else { 0.0 })
}

fn probability(section: &Section, name: &str, default: f64) -> Result<f32, Error> {
    let allowed = "it must be a number of 0 or more, and below 1";
    section.real(name, Some(default), allowed, |value| (0.0..1.0).contains(&value)).map(|value| value as f32)
}

fn learned_by(section: &Section, own: &Section, whose: &str) -> Result<Learned, Error> {
    let rule = |rate: &str, momentum: &str, decay: f64| {
        let allowed = "it must be a number of 0 or more, and below 1";
        let rate = Rate::read(own, rate, whose)?;
        own.needed(momentum, whose)?;
        let momentum = own.real(momentum, None, allowed, |value| (0.0..=0.999_999).contains(&value))?;
        Ok::<Rule, Error>(Rule { rate, momentum: momentum as f32, decay })
    };
    for (name, unused) in [("wball", [0.0, 0.0]), ("updatePeriod", [0.0, 1.0]), ("superEps", [0.0, 0.0])] {
        let allowed = "it is not here; it must be 0, or left out";
        own.real(name, Some(0.0), allowed, |value| unused.contains(&value))?;
    }
    let zero_or_more = "it must be a number of 0 or more";
    let decay = own.real("wc", Some(0.0), zero_or_more, |value| value >= 0.0)?;
    Ok(Learned {
        deviation: section.real("initW", Some(0.01), zero_or_more, |value| value >= 0.0)?,
        biases: section.real("initB", Some(0.0), "it must be a number", |_| true)? as f32,
        rules: [rule("epsW", "momW", decay)?, rule("epsB", "momB", 0.0)?],
    })
}
