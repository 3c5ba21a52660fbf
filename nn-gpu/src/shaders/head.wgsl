// Numbers that WGSL has no literals for arrive as bits.
fn not_a_number() -> f32 { return bitcast<f32>(p[1].z); }
fn minus_infinity() -> f32 { return bitcast<f32>(p[1].w); }
// By its bits: compilers may take x != x for false.
fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
