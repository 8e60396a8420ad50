//! Arrays as columns, without copying them.
#![allow(unsafe_code)] // numpy hands out a pointer and a stride; the slice below is what they span.

use crate::Error;
use crate::diagram::{Column, Item, Lookup, Output, Strided};
use numpy::{Element, PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadwriteArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;

/// A borrowed array of one column.
pub(super) enum Borrowed<'py> {
    U8(PyReadonlyArray1<'py, u8>),
    U16(PyReadonlyArray1<'py, u16>),
    U32(PyReadonlyArray1<'py, u32>),
    Values(PyReadonlyArray1<'py, i64>, Lookup),
}

impl<'py> Borrowed<'py> {
    /// Borrows a column: an array of uint8, uint16 or uint32 for indices, or a pair of an int64 array and the values of
    /// the decision.
    pub(super) fn of(column: &Bound<'py, PyAny>) -> crate::Result<Self> {
        if let Ok((array, values)) = column.extract::<(Bound<'py, PyArray1<i64>>, Vec<i64>)>() {
            return Ok(Self::Values(borrow(&array)?, Lookup::new(&values)));
        }
        if let Ok(array) = column.cast::<PyArray1<u8>>() {
            return borrow(array).map(Self::U8);
        }
        if let Ok(array) = column.cast::<PyArray1<u16>>() {
            return borrow(array).map(Self::U16);
        }
        if let Ok(array) = column.cast::<PyArray1<u32>>() {
            return borrow(array).map(Self::U32);
        }
        Err(Error::argument(
            "a column must be a 1-D array of uint8, uint16, uint32 or int64",
        ))
    }

    /// The column, for as long as the array is borrowed.
    pub(super) fn column(&self) -> crate::Result<Column<'_>> {
        Ok(match self {
            Self::U8(array) => Column::U8(strided(array)?),
            Self::U16(array) => Column::U16(strided(array)?),
            Self::U32(array) => Column::U32(strided(array)?),
            Self::Values(array, lookup) => Column::Values(strided(array)?, lookup),
        })
    }
}

/// A borrowed array that totals are written to.
pub(super) enum Totals<'py> {
    I64(PyReadwriteArray1<'py, i64>),
    U32(PyReadwriteArray1<'py, u32>),
}

impl<'py> Totals<'py> {
    /// Borrows an array of int64 or uint32.
    pub(super) fn of(array: &Bound<'py, PyAny>) -> crate::Result<Self> {
        let taken = |error| Error::argument(format!("an output cannot be written to: {error}"));
        if let Ok(array) = array.cast::<PyArray1<i64>>() {
            return array.try_readwrite().map(Self::I64).map_err(taken);
        }
        if let Ok(array) = array.cast::<PyArray1<u32>>() {
            return array.try_readwrite().map(Self::U32).map_err(taken);
        }
        Err(Error::argument("an output must be a 1-D array of int64 or uint32"))
    }

    /// The array, for as long as it is borrowed.
    pub(super) fn output(&mut self) -> PyResult<Output<'_>> {
        Ok(match self {
            Self::I64(array) => Output::I64(array.as_slice_mut()?),
            Self::U32(array) => Output::U32(array.as_slice_mut()?),
        })
    }
}

fn borrow<'py, T: Element>(array: &Bound<'py, PyArray1<T>>) -> crate::Result<PyReadonlyArray1<'py, T>> {
    array
        .try_readonly()
        .map_err(|error| Error::argument(format!("an array is being written to: {error}")))
}

fn strided<'a, T: Element + Item>(array: &'a PyReadonlyArray1<'_, T>) -> crate::Result<Strided<'a, T>> {
    let len = array.len();
    if len == 0 {
        return Ok(Strided::new(&[], 0, 1, 0));
    }
    let data = array.as_raw_array().as_ptr();
    let bytes = array.strides()[0];
    let item = size_of::<T>() as isize;
    if bytes % item != 0 || !data.is_aligned() {
        return Err(Error::argument("the items of an array are not aligned; copy it first"));
    }
    let stride = bytes / item;
    let span = (len - 1) * stride.unsigned_abs() + 1;
    let first = if stride < 0 { span - 1 } else { 0 };
    // SAFETY: item 0 of the array is at `data`, and its last item `(len - 1) * stride` items further; numpy keeps all
    // between them in one allocation, which the borrow keeps alive. Threads of Python may write to it, so that it is a
    // slice of atomic integers, which are as large as the plain ones and were found aligned.
    let shared = unsafe { std::slice::from_raw_parts(data.sub(first).cast::<T::Shared>(), span) };
    Ok(Strided::shared(shared, first, stride, len))
}

/// Runs a method that draws into a 2-D array of any index type: `$work` gets the number of rows and the columns.
macro_rules! into_columns {
    ($py:expr, $columns:expr, |$n:ident, $slice:ident| $work:expr) => {{
        macro_rules! of {
            ($index:ty) => {
                if let Ok(array) = $columns.cast::<numpy::PyArray2<$index>>() {
                    let mut columns = array.try_readwrite()?;
                    let $n = array.dims()[1];
                    let $slice = columns.as_slice_mut()?;
                    return $work;
                }
            };
        }
        of!(u8);
        of!(u16);
        of!(u32);
        Err($crate::python::raise::raise(
            $py,
            $crate::Error::argument("the columns must be a 2-D array of uint8, uint16 or uint32"),
        ))
    }};
}
pub(super) use into_columns;
