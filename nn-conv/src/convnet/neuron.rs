//! Neurons: the functions of one number that cuda-convnet knows by name.

use super::ini::Section;
use nn_core::{Activation, Error};

/// What `neuron` may be.
const NEURONS: &str = "ident, relu, brelu[a], logistic, tanh[a,b], softrelu, abs, square, sqrt, linear[a,b]";

/// The parameter `neuron` of a section; y = a where there is none.
pub(super) fn neuron(section: &Section) -> Result<Activation, Error> {
    let Some(text) = section.text("neuron") else { return Ok(Activation::Identity) };
    let unknown = || section.refuse("neuron", &format!("the neurons are {NEURONS}"));
    let (name, numbers) = parts(text).ok_or_else(unknown)?;
    let activation = match (name, numbers.as_slice()) {
        ("ident", []) => Activation::Identity,
        ("relu", []) => Activation::RectifiedLinear,
        ("brelu", &[ceiling]) => Activation::BoundedLinear { ceiling },
        ("logistic", []) => Activation::Logistic,
        ("tanh", &[height, steepness]) => Activation::ScaledTanh { height, steepness },
        ("softrelu", []) => Activation::Softplus,
        ("abs", []) => Activation::Absolute,
        ("square", []) => Activation::Square,
        ("sqrt", []) => Activation::SquareRoot,
        ("linear", &[slope, offset]) => Activation::Linear { slope, offset },
        _ => return Err(unknown()),
    };
    match activation.check() {
        Ok(()) => Ok(activation),
        Err(Error::Setting { setting, given, allowed }) => {
            Err(section.refuse("neuron", &format!("of the {setting}, {given}, {allowed}")))
        }
        Err(other) => Err(other),
    }
}

/// `tanh[1.5,0.5]`: name and numbers.
fn parts(text: &str) -> Option<(&str, Vec<f32>)> {
    let Some((name, rest)) = text.split_once('[') else { return Some((text.trim(), Vec::new())) };
    let numbers = rest.trim_end().strip_suffix(']')?;
    let numbers = numbers.split(',').map(|number| number.trim().parse().ok());
    Some((name.trim(), numbers.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::super::ini::IniFile;
    use super::*;

    fn read(value: &str) -> Result<Activation, Error> {
        neuron(&IniFile::parse("a.cfg", &format!("[fc]\nneuron={value}\n")).unwrap().sections[0])
    }

    #[test]
    fn neurons_have_the_functions_of_their_names() {
        for (text, expected) in [
            ("ident", Activation::Identity),
            ("relu", Activation::RectifiedLinear),
            ("brelu[6]", Activation::BoundedLinear { ceiling: 6.0 }),
            ("logistic", Activation::Logistic),
            ("tanh[1.7159, 0.6666]", Activation::ScaledTanh { height: 1.7159, steepness: 0.6666 }),
            ("softrelu", Activation::Softplus),
            ("abs", Activation::Absolute),
            ("square", Activation::Square),
            ("sqrt", Activation::SquareRoot),
            ("linear[-2,1e-1]", Activation::Linear { slope: -2.0, offset: 0.1 }),
        ] {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn others_are_refused_with_those_that_exist() {
        let unknown = read("maxout").unwrap_err().to_string();
        assert_eq!(unknown, format!("a.cfg, line 2: [fc] neuron is `maxout`, but the neurons are {NEURONS}"));
        for text in ["tanh", "tanh[1]", "tanh[1,2", "relu[1]", "linear[a,b]"] {
            assert!(read(text).unwrap_err().to_string().contains("tanh[a,b]"), "{text}");
        }
        let height = read("tanh[0,1]").unwrap_err().to_string();
        assert!(height.contains("`tanh[0,1]`, but of the height of the tanh, 0, it must be"), "{height}");
    }
}
