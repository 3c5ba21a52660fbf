// 1 / (1 + e^-x)
fn logistic(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }
