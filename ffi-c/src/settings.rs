//! Structs that the host fills and that may grow: each starts with its size, as the host's header knew it.

use std::time::Duration;

use tminus_core::Result;

use crate::boundary::Out;
use crate::data::invalid;

/// A growing struct.
///
/// # Safety
/// `repr(C)`, starts with `struct_size: u32`, holds only integers and pointers (every bit pattern is a value).
pub(crate) unsafe trait Growing: Copy {
    /// Its name in error texts.
    const NAME: &'static str;
    /// Its size in ABI 1.0; smaller ones never existed.
    const FIRST_SIZE: usize;

    /// Every field at its default, `struct_size` that of this library.
    fn defaults() -> Result<Self>;
}

/// Reads a struct of the host; fields its header did not know keep their defaults. NULL: all defaults.
///
/// # Safety
/// `given` is NULL or points to as many readable bytes as its first field says.
pub(crate) unsafe fn read<T: Growing>(given: *const T, operation: &'static str) -> Result<T> {
    let mut value = T::defaults()?;
    if given.is_null() {
        return Ok(value);
    }
    // SAFETY: the first field of every such struct is its size.
    let size = unsafe { given.cast::<u32>().read_unaligned() } as usize;
    check_size::<T>(size, operation)?;
    // SAFETY: `size` bytes are readable by the caller's promise and fit into `value`, which takes any bit pattern.
    unsafe { std::ptr::copy_nonoverlapping(given.cast::<u8>(), (&raw mut value).cast::<u8>(), size) };
    Ok(value)
}

/// Fills a struct of the host, which is `size` bytes long, with the defaults.
///
/// # Safety
/// `place` is NULL or points to `size` writable bytes.
pub(crate) unsafe fn init<T: Growing>(place: *mut T, size: usize, operation: &'static str) -> Result<()> {
    Out::new(place, "options", operation)?;
    check_size::<T>(size, operation)?;
    let value = T::defaults()?;
    // SAFETY: `size` bytes are writable by the caller's promise, and `value` has at least as many.
    unsafe {
        std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), place.cast::<u8>(), size);
        place.cast::<u32>().write_unaligned(size as u32);
    }
    Ok(())
}

fn check_size<T: Growing>(size: usize, operation: &'static str) -> Result<()> {
    if (T::FIRST_SIZE..=size_of::<T>()).contains(&size) {
        return Ok(());
    }
    let name = T::NAME;
    Err(invalid(
        operation,
        format!(
            "{name}.struct_size is {size}, this library knows {} to {}; set it to sizeof({name})",
            T::FIRST_SIZE,
            size_of::<T>()
        ),
    ))
}

/// A duration for the host.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A duration of the host, which must not be negative.
pub(crate) fn duration(ms: i64, what: &str, operation: &'static str) -> Result<Duration> {
    let ms = u64::try_from(ms).map_err(|_| invalid(operation, format!("{what} is negative ({ms})")))?;
    Ok(Duration::from_millis(ms))
}

/// A count of the host, which must not be negative.
pub(crate) fn count<T: TryFrom<i64>>(value: i64, what: &str, operation: &'static str) -> Result<T> {
    T::try_from(value).map_err(|_| invalid(operation, format!("{what} is {value}, which is out of range")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct that has grown by one field since it was first published.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Grown {
        struct_size: u32,
        old: u32,
        new: u64,
    }

    // SAFETY: repr(C), size first, integers only.
    unsafe impl Growing for Grown {
        const NAME: &'static str = "grown";
        const FIRST_SIZE: usize = 8;

        fn defaults() -> Result<Self> {
            Ok(Self { struct_size: size_of::<Self>() as u32, old: 1, new: 2 })
        }
    }

    #[test]
    fn an_older_host_gets_defaults_for_what_it_does_not_know() {
        let given = [8u32, 7, 99, 99];
        // SAFETY: the first field says that 8 bytes are readable.
        let read: Grown = unsafe { read(given.as_ptr().cast(), "test") }.unwrap();
        assert_eq!((read.old, read.new), (7, 2));
    }

    #[test]
    fn an_older_host_is_not_written_beyond_its_struct() {
        let mut place = [5u32; 4];
        // SAFETY: more than 8 bytes are writable.
        unsafe { init::<Grown>(place.as_mut_ptr().cast(), 8, "test") }.unwrap();
        assert_eq!(place, [8, 1, 5, 5]);
    }

    #[test]
    fn sizes_that_never_were_are_refused() {
        for size in [0u32, 7, 17] {
            let given = [size, 7, 99, 99, 99];
            // SAFETY: more bytes are readable than the first field says.
            assert!(unsafe { read::<Grown>(given.as_ptr().cast(), "test") }.is_err());
        }
    }
}
