//! Windows in shaders. Their sizes are written into the text: divisions by constants are cheap, and models have few.

use nn_core::Window;

/// What the text of a shader takes from a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Geometry {
    pub(crate) window: Window,
}

impl Geometry {
    /// Replaces the names of sizes in a text: `$H` height, `$W` width, `$C` channels, `$KH`, `$KW` kernel, `$SY`, `$SX`
    /// stride, `$PY`, `$PX` padding, `$DOWN`, `$ACROSS` positions, `$COUNT` of them.
    pub(crate) fn fill(&self, text: &str) -> String {
        let Window { height, width, channels, kernel, stride, padding, .. } = self.window;
        let [down, across] = self.window.positions();
        let sizes = [
            // Longer names first: `$C` begins `$COUNT`.
            ("$COUNT", down * across),
            ("$ACROSS", across),
            ("$DOWN", down),
            ("$KH", kernel[0]),
            ("$KW", kernel[1]),
            ("$SY", stride[0]),
            ("$SX", stride[1]),
            ("$PY", padding[0]),
            ("$PX", padding[1]),
            ("$H", height),
            ("$W", width),
            ("$C", channels),
        ];
        sizes.iter().fold(text.to_string(), |text, (name, size)| text.replace(name, &size.to_string()))
    }
}
