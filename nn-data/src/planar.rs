//! Images whose channels stand one after the other, as in CIFAR and cuda-convnet.

/// The values of an image of `channels` planes in the order of this crate, the channel last.
///
/// `value(i)` is value i in planar order, `area` the pixels of a plane.
pub(crate) fn channel_last<T>(
    channels: usize,
    area: usize,
    value: impl Fn(usize) -> T + Copy,
) -> impl Iterator<Item = T> {
    (0..area).flat_map(move |pixel| (0..channels).map(move |channel| value(channel * area + pixel)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_interleaved() {
        let planar = [1, 2, 3, 4, 10, 20, 30, 40, 100, 200, 300, 400];
        let last: Vec<i32> = channel_last(3, 4, |at| planar[at]).collect();
        assert_eq!(last, [1, 10, 100, 2, 20, 200, 3, 30, 300, 4, 40, 400]);
        assert_eq!(channel_last(1, 12, |at| planar[at]).collect::<Vec<_>>(), planar);
    }
}
