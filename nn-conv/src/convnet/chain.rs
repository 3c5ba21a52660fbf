//! The order of the layers: which is fed by which.

use super::{
    ini::{IniFile, Section},
    layer_type::LayerType,
};
use nn_core::{Error, Loss};

/// The layers of a file, from the images to the cost.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    /// Those between data and cost, from the images on, without the softmax or difference that belongs to the loss.
    pub(super) layers: Vec<Node<'a>>,
    pub(super) cost: Node<'a>,
    pub(super) loss: Loss,
}

/// A layer and what feeds it.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) section: &'a Section,
    pub(super) kind: &'static LayerType,
    inputs: Vec<String>,
}

impl Node<'_> {
    fn name(&self) -> &str {
        &self.section.name
    }

    /// Which of the data a layer of type data stands for: 0 for images, 1 for labels.
    fn data(&self) -> Result<Option<i64>, Error> {
        (self.kind.name == "data").then(|| self.section.whole("dataIdx", [0, 1], None)).transpose()
    }
}

const CHAINS: &str = "networks here are chains: a layer has one input, and its output goes to one layer";

impl<'a> Chain<'a> {
    /// Puts the layers of a file in order.
    ///
    /// # Errors
    /// [`Error::Setting`] for what is no chain from one layer of images to one cost.
    pub(super) fn of(file: &'a IniFile) -> Result<Chain<'a>, Error> {
        let nodes = file.sections.iter().map(|section| {
            Ok(Node { section, kind: LayerType::of(section)?, inputs: section.list("inputs") })
        });
        let nodes = Graph { file, nodes: nodes.collect::<Result<_, Error>>()? };
        nodes.check_inputs()?;
        nodes.check_cycles()?;
        let images = nodes.images()?;
        let cost = nodes.cost()?;
        nodes.check_use()?;
        let (top, loss) = nodes.below(cost, images)?;
        let mut layers = Vec::new();
        let mut name = top;
        while name != images.name() {
            let node = nodes.find(&name)?;
            let [input] = node.inputs.as_slice() else { return Err(node.section.refuse("inputs", CHAINS)) };
            if node.data()?.is_some() || node.kind.name == "eltsum" {
                return Err(node.section.refuse("type", "between images and cost it has no place here"));
            }
            layers.push(node.clone());
            name.clone_from(input);
        }
        layers.reverse();
        Ok(Chain { layers, cost: cost.clone(), loss })
    }
}

struct Graph<'a> {
    file: &'a IniFile,
    nodes: Vec<Node<'a>>,
}

impl<'a> Graph<'a> {
    fn find(&self, name: &str) -> Result<&Node<'a>, Error> {
        let found = self.nodes.iter().find(|node| node.name() == name);
        found.ok_or_else(|| Error::setting(&format!("{}: layer", self.file.name), name, "there is none"))
    }

    fn names(&self, which: impl Fn(&Node<'_>) -> bool) -> String {
        let names: Vec<&str> = self.nodes.iter().filter(|node| which(node)).map(Node::name).collect();
        names.join(", ")
    }

    /// Inputs are there, as many as each type takes.
    fn check_inputs(&self) -> Result<(), Error> {
        for node in &self.nodes {
            let section = node.section;
            if section.name.contains('.') {
                return Err(section.wrong("", "a name with a dot", "names of layers are words without dots"));
            }
            if let Some(missing) = node.inputs.iter().find(|input| self.file.section(input).is_none()) {
                let allowed = format!("{missing} is no layer; the layers are {}", self.names(|_| true));
                return Err(section.refuse("inputs", &allowed));
            }
            let wanted = match node.kind.name {
                "data" => 0,
                "cost.logreg" | "eltsum" => 2,
                _ => 1,
            };
            if node.inputs.len() == wanted {
                continue;
            }
            let whose = node.kind.whose();
            let allowed = match node.kind.name {
                "data" => format!("{whose} has none"),
                "cost.logreg" => format!("{whose} has two: the labels, and a softmax"),
                "eltsum" => format!("{whose} has two here: what a cost.sum2 compares"),
                _ if node.inputs.is_empty() => format!("{whose} needs one"),
                _ => CHAINS.to_string(),
            };
            return Err(section.refuse("inputs", &allowed));
        }
        Ok(())
    }

    /// No layer is fed by itself.
    fn check_cycles(&self) -> Result<(), Error> {
        for node in &self.nodes {
            let (mut path, mut front) = (vec![node.name()], node.inputs.clone());
            // A way that is longer than the number of layers goes round somewhere else, which is found there.
            while path.len() <= self.nodes.len() {
                let Some(input) = front.last() else { break };
                if input == node.name() {
                    path.reverse();
                    let way = path.join(", ");
                    let allowed =
                        format!("this is a cycle: {}, {way}; a layer is not fed by itself", node.name());
                    return Err(node.section.refuse("inputs", &allowed));
                }
                let next = self.find(input)?;
                path.push(next.name());
                front.clone_from(&next.inputs);
            }
        }
        Ok(())
    }

    /// The one layer of images.
    fn images(&self) -> Result<&Node<'a>, Error> {
        let mut found = [const { Vec::new() }; 2];
        for node in &self.nodes {
            if let Some(which) = node.data()? {
                found[which as usize].push(node);
            }
        }
        for (of, nodes) in ["images (dataIdx=0)", "labels (dataIdx=1)"].into_iter().zip(&found) {
            if let [first, second, ..] = nodes.as_slice() {
                let allowed = format!("{} is a layer of {of}, too; a network here has one", first.name());
                return Err(second.section.refuse("dataIdx", &allowed));
            }
        }
        found[0].first().copied().ok_or_else(|| {
            let setting = format!("{}: layer of images", self.file.name);
            Error::setting(&setting, "missing", "a section with type=data and dataIdx=0 is needed")
        })
    }

    /// The one cost.
    fn cost(&self) -> Result<&Node<'a>, Error> {
        let costs: Vec<&Node<'a>> = self.nodes.iter().filter(|node| node.kind.is_cost()).collect();
        if let [cost] = costs.as_slice() {
            return Ok(cost);
        }
        let names = self.names(|node| node.kind.is_cost());
        let given = if costs.is_empty() { "missing".to_string() } else { names };
        let allowed = "a network here has one, a section with type=cost.logreg or type=cost.sum2";
        Err(Error::setting(&format!("{}: cost", self.file.name), given, allowed))
    }

    /// The output of every layer but the cost goes to one other. Beside, images can be what a cost compares with.
    fn check_use(&self) -> Result<(), Error> {
        let uses = |user: &Node<'_>, node: &Node<'_>| user.inputs.iter().any(|input| input == node.name());
        let unused =
            |node: &&Node<'a>| !node.kind.is_cost() && !self.nodes.iter().any(|user| uses(user, node));
        if let Some(node) = self.nodes.iter().find(unused) {
            let allowed =
                "the output of every layer but a cost feeds another; name it in inputs or remove it";
            return Err(node.section.wrong("", "unused", allowed));
        }
        for node in &self.nodes {
            let compares = |user: &Node<'_>| user.kind.name == "eltsum" && node.kind.name == "data";
            if self.nodes.iter().filter(|user| uses(user, node) && !compares(user)).count() > 1 {
                let given = format!("the input of {}", self.names(|user| uses(user, node)));
                return Err(node.section.wrong("", given, CHAINS));
            }
        }
        Ok(())
    }

    /// The layer whose output the loss begins with, and the loss.
    fn below(&self, cost: &Node<'a>, images: &Node<'a>) -> Result<(String, Loss), Error> {
        let section = cost.section;
        if let [labels, softmax] = cost.inputs.as_slice() {
            if self.find(labels)?.data()? != Some(1) {
                return Err(
                    section.refuse("inputs", "the first is a layer with type=data and dataIdx=1, the labels")
                );
            }
            let softmax = self.find(softmax)?;
            return match (softmax.kind.name, softmax.inputs.first()) {
                ("softmax", Some(input)) => Ok((input.clone(), Loss::CrossEntropy)),
                _ => Err(section.refuse("inputs", "the second is a layer of type softmax")),
            };
        }
        let allowed = "it is an eltsum of a layer and of the images with coeffs=1,-1: what is made small is their \
                       distance";
        let difference = self.find(&cost.inputs[0])?;
        let others: Vec<&String> = difference.inputs.iter().filter(|name| *name != images.name()).collect();
        let opposite = ["1,-1", "-1,1"].contains(&difference.section.list("coeffs").join(",").as_str());
        match (difference.kind.name, others.as_slice(), opposite) {
            ("eltsum", [top], true) if difference.inputs.len() == 2 => {
                Ok(((*top).clone(), Loss::SquaredError))
            }
            ("eltsum", ..) => {
                Err(difference.section.wrong("", "not a difference", &format!("below a cost.sum2 {allowed}")))
            }
            _ => Err(section.refuse("inputs", allowed)),
        }
    }
}
