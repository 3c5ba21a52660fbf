//! Windows that fit their images, and the two shapes in which a layer sees one memory.

use nn_core::{Error, Expr, Tensor, View, Window};

/// Longest side of an image, window, step or padding, in pixels; far below where products of sides overflow.
const LONGEST: usize = 1 << 16;

/// Refuses a window that does not fit its images.
pub(crate) fn check_window(layer: &str, window: &Window) -> Result<(), Error> {
    let refuse = |name: &str, given: String, allowed: &str| {
        Err(Error::setting(&format!("{layer}: {name}"), given, allowed))
    };
    let sides = |[down, across]: [usize; 2]| format!("{down}×{across}");
    let range = |least: usize, values: &[usize]| values.iter().all(|value| (least..=LONGEST).contains(value));
    let image = [window.height, window.width, window.channels];
    if !range(1, &image) {
        let [height, width, channels] = image;
        return refuse(
            "image",
            format!("{height}×{width}×{channels}"),
            "sides and channels are from 1 to 65536",
        );
    }
    for (name, given, least) in
        [("kernel", window.kernel, 1), ("stride", window.stride, 1), ("padding", window.padding, 0)]
    {
        if !range(least, &given) {
            return refuse(name, sides(given), &format!("its sides are from {least} to {LONGEST}"));
        }
    }
    let padded = [window.height + 2 * window.padding[0], window.width + 2 * window.padding[1]];
    if window.kernel[0] > padded[0] || window.kernel[1] > padded[1] {
        let allowed = format!(
            "an image of {} with padding {} takes windows of at most {}",
            sides([window.height, window.width]),
            sides(window.padding),
            sides(padded)
        );
        return refuse("kernel", sides(window.kernel), &allowed);
    }
    Ok(())
}

/// Refuses a window that sees no pixel at one of its positions: a pool of nothing has no value.
pub(crate) fn check_windows_see_pixels(layer: &str, window: &Window) -> Result<(), Error> {
    check_window(layer, window)?;
    for (axis, size) in [window.height, window.width].into_iter().enumerate() {
        let (kernel, stride, padding) = (window.kernel[axis], window.stride[axis], window.padding[axis]);
        if padding >= kernel {
            let allowed = format!("with a window of {kernel} it is less, so that every window sees a pixel");
            return Err(Error::setting(&format!("{layer}: padding"), padding, &allowed));
        }
        if (window.positions()[axis] - 1) * stride >= size + padding {
            let allowed = format!(
                "the last of {} windows of {kernel} with padding {padding} would see nothing of {size} pixels; \
                 it is at most the window, without padding or rounding down",
                window.positions()[axis]
            );
            return Err(Error::setting(&format!("{layer}: stride"), stride, &allowed));
        }
    }
    Ok(())
}

/// Refuses a number that is not finite and in a range.
pub(crate) fn check_number(
    layer: &str,
    name: &str,
    given: f64,
    allowed: &str,
    is: bool,
) -> Result<(), Error> {
    if given.is_finite() && is {
        return Ok(());
    }
    Err(Error::setting(&format!("{layer}: {name}"), given, allowed))
}

/// Runs `work` on the memory of `tensor` as a matrix of another shape: what is cases × (positions · maps) to the next
/// layer is (cases · positions) × maps to a product.
#[track_caller]
pub(crate) fn reshaped(tensor: &mut Tensor, rows: usize, columns: usize, work: impl FnOnce(&mut Tensor)) {
    let (original, device) = ([tensor.rows(), tensor.columns()], tensor.device().clone());
    let mut other = std::mem::replace(tensor, device.zeros(0, 0)).reshape(rows, columns);
    work(&mut other);
    *tensor = other.reshape(original[0], original[1]);
}

/// What is one value for each window and channel, repeated over the taps of the window: on the grid of patches,
/// (cases · positions) × patch length.
pub(crate) fn over_taps<'a>(pooled: &'a Tensor, window: &Window) -> Expr<'a> {
    let rows = pooled.len() / window.channels;
    rows_of(pooled.view(), rows / pooled.rows()).repeated()
}

/// As [`View::split_rows`], also of parts of a tensor where there is nothing to split.
#[track_caller]
pub(crate) fn rows_of(view: View<'_>, parts: usize) -> View<'_> {
    if parts == 1 { view } else { view.split_rows(parts) }
}

/// The rows of `values` that the blocks of an expanded tensor copy: block b is rows `rows · which[b] ..` of the source.
pub(crate) fn block_rows(which: &[usize], rows: usize) -> Vec<usize> {
    which.iter().flat_map(|&block| block * rows..(block + 1) * rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_do_not_fit_are_refused_with_what_is_allowed() {
        let message = |window: Window| check_window("convolution", &window).unwrap_err().to_string();
        assert_eq!(
            message(Window::new(5, 4, 3, 7).padding(1)),
            "convolution: kernel is 7×7, but an image of 5×4 with padding 1×1 takes windows of at most 7×6"
        );
        assert_eq!(
            message(Window::new(0, 4, 3, 7)),
            "convolution: image is 0×4×3, but sides and channels are from 1 to 65536"
        );
        assert!(message(Window::new(5, 4, 3, 0)).contains("kernel is 0×0"));
        assert!(message(Window::new(5, 4, 3, 2).stride(0)).contains("stride is 0×0"));
        assert!(message(Window::new(5, 4, 3, 2).padding(usize::MAX)).contains("padding"));
        assert!(check_window("convolution", &Window::new(5, 4, 3, 4)).is_ok());
    }

    #[test]
    fn windows_that_see_nothing_are_refused() {
        let check = |window: Window| check_windows_see_pixels("pooling", &window).map_err(|e| e.to_string());
        assert!(check(Window::new(4, 4, 1, 2).padding(2)).unwrap_err().contains("padding is 2"));
        // Windows of 1 at 0, 3 and 6 of 5 pixels.
        assert!(check(Window::new(5, 5, 1, 1).stride(3).ceil()).unwrap_err().contains("stride is 3"));
        assert!(check(Window::new(4, 4, 1, 1).stride(3).ceil()).is_ok());
        assert!(check(Window::new(32, 32, 1, 3).stride(2).ceil()).is_ok());
    }
}
