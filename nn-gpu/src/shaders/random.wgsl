// Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw 2011): the words that nn_core::Key draws.
fn rotated(x: u32, by: u32) -> u32 { return (x << by) | (x >> (32u - by)); }
fn four_rounds(x: vec2<u32>, r: vec4<u32>) -> vec2<u32> {
    var a = x.x;
    var b = x.y;
    a += b; b = rotated(b, r.x) ^ a;
    a += b; b = rotated(b, r.y) ^ a;
    a += b; b = rotated(b, r.z) ^ a;
    a += b; b = rotated(b, r.w) ^ a;
    return vec2<u32>(a, b);
}
fn threefry(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
    let even = vec4<u32>(13u, 15u, 26u, 6u);
    let odd = vec4<u32>(17u, 29u, 16u, 24u);
    let third = key.x ^ key.y ^ 0x1bd11bdau;
    var x = counter + key;
    x = four_rounds(x, even) + vec2<u32>(key.y, third + 1u);
    x = four_rounds(x, odd) + vec2<u32>(third, key.x + 2u);
    x = four_rounds(x, even) + vec2<u32>(key.x, key.y + 3u);
    x = four_rounds(x, odd) + vec2<u32>(key.y, third + 4u);
    x = four_rounds(x, even) + vec2<u32>(third, key.x + 5u);
    return x;
}
// Uniform in [0, 1), a multiple of 2^-24: two elements share the two words of a counter.
fn uniform_draw(key: vec2<u32>, element: u32) -> f32 {
    let words = threefry(key, vec2<u32>(element >> 1u, 0u));
    return f32(select(words.x, words.y, (element & 1u) == 1u) >> 8u) * 5.9604644775390625e-8;
}
// -log of m / 2^24 for 1 <= m <= 2^24, with its digits kept where the fraction is close to 1.
fn minus_log_of_fraction(m: u32) -> f32 {
    var exponent = i32(firstLeadingBit(m));
    var f = f32(m) * exp2(-f32(exponent));
    if (f > 1.4142135) {
        f *= 0.5;
        exponent += 1;
    }
    // log f = 2 artanh((f - 1) / (f + 1))
    let s = (f - 1.0) / (f + 1.0);
    let q = s * s;
    let log_f = 2.0 * s * (1.0 + q * (0.33333333 + q * (0.2 + q * (0.14285714 + q * 0.11111111))));
    return f32(24 - exponent) * 0.69314718 - log_f;
}
// cos(2 pi m / 2^24), from the quadrant and a polynomial: built-in cosines may be coarse.
fn cosine_of_turn(m: u32) -> f32 {
    let quadrant = (m + 0x200000u) >> 22u;
    let a = f32(i32(m) - i32(quadrant << 22u)) * 3.7450704e-7;
    let q = a * a;
    let sine = a * (1.0 + q * (-0.16666667 + q * (0.0083333333 - q * 0.0001984127)));
    let cosine = 1.0 + q * (-0.5 + q * (0.041666667 + q * (-0.0013888889 + q * 2.4801587e-5)));
    let magnitude = select(cosine, sine, (quadrant & 1u) == 1u);
    return select(magnitude, -magnitude, ((quadrant + 1u) & 2u) == 2u);
}
// Standard normal, by the method of Box and Muller; counters of normal draws have the top bit set.
fn normal_draw(key: vec2<u32>, element: u32) -> f32 {
    let words = threefry(key, vec2<u32>(element, 0x80000000u));
    return sqrt(2.0 * minus_log_of_fraction((words.x >> 8u) + 1u)) * cosine_of_turn(words.y >> 8u);
}
