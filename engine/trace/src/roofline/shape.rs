//! The recorded inputs of a CPU operator: sizes and types of tensors, and values of scalars.

use super::Dtype;
use serde_json::Value;

/// One input that is a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Sizes; none for a single number.
    pub dims: Vec<u64>,
    /// What it holds.
    pub element: Element,
}

/// What a tensor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// Bytes of one stored element.
    pub bytes: u64,
    /// Numbers in one stored element: 2 for packed fp4, else 1.
    pub packed: u64,
    /// Format that matrix units know it by.
    pub dtype: Option<Dtype>,
}

impl Tensor {
    /// Number of stored elements; `None` beyond what 64 bits count.
    pub fn count(&self) -> Option<u64> {
        product(&self.dims)
    }

    /// Bytes of the whole tensor, taking it as dense.
    pub fn bytes(&self) -> Option<u64> {
        self.count()?.checked_mul(self.element.bytes)
    }
}

/// The product of sizes; `None` beyond what 64 bits count.
pub fn product(dims: &[u64]) -> Option<u64> {
    dims.iter().try_fold(1u64, |all, &dim| all.checked_mul(dim))
}

/// The inputs of one operator, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs {
    /// Tensors; `None` for what is no tensor.
    pub tensors: Vec<Option<Tensor>>,
    /// Values of scalars and lists as text, empty where not recorded.
    pub values: Vec<String>,
}

impl Inputs {
    /// Reads `Input Dims`, `Input type` and `Concrete Inputs` as the profiler writes them; `None` where there are no
    /// shapes.
    pub fn parse(dims: &str, types: &str, values: &str) -> Option<Self> {
        let dims: Vec<Value> = serde_json::from_str(dims).ok()?;
        let types: Vec<Value> = serde_json::from_str(types).unwrap_or_default();
        let values: Vec<Value> = serde_json::from_str(values).unwrap_or_default();
        let tensor = |(index, dims): (usize, &Value)| {
            let element = element(types.get(index)?.as_str()?)?;
            let dims: Option<Vec<u64>> = dims.as_array()?.iter().map(Value::as_u64).collect();
            Some(Tensor { dims: dims?, element })
        };
        let tensors: Vec<_> = dims.iter().enumerate().map(tensor).collect();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Operators without a tensor (or with scalars only) have nothing that could be counted.
        let any = dims.iter().any(|dims| dims.as_array().is_some_and(|dims| !dims.is_empty()));
        any.then(|| Self { tensors, values: values.iter().map(text).collect() })
    }

    /// The tensor at `index`.
    pub fn tensor(&self, index: usize) -> Option<&Tensor> {
        self.tensors.get(index)?.as_ref()
    }

    /// The tensor at `index` with at least one size.
    pub fn sized(&self, index: usize) -> Option<&Tensor> {
        self.tensor(index).filter(|tensor| !tensor.dims.is_empty())
    }

    /// The truth value at `index`; some operators write the kind of a mask, where 0 is none.
    pub fn flag(&self, index: usize) -> Option<bool> {
        match self.values.get(index)?.as_str() {
            "True" | "true" | "1" | "2" => Some(true),
            "False" | "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// The list of whole numbers at `index`.
    pub fn list(&self, index: usize) -> Option<Vec<u64>> {
        serde_json::from_str(self.values.get(index)?).ok()
    }
}

/// The type as the profiler writes it, which is C++'s name.
fn element(name: &str) -> Option<Element> {
    let plain = |bytes, dtype| Some(Element { bytes, packed: 1, dtype });
    match name.strip_prefix("c10::").unwrap_or(name) {
        "double" => plain(8, Some(Dtype::Fp64)),
        "float" => plain(4, Some(Dtype::Fp32)),
        "BFloat16" => plain(2, Some(Dtype::Bf16)),
        "Half" => plain(2, Some(Dtype::Fp16)),
        // A scale, not a number to multiply with.
        "Float8_e8m0fnu" => plain(1, None),
        "Float4_e2m1fn_x2" => Some(Element { bytes: 1, packed: 2, dtype: Some(Dtype::Fp4) }),
        "signed char" | "int8_t" => plain(1, Some(Dtype::Int8)),
        "unsigned char" | "bool" => plain(1, None),
        "short" | "short int" | "unsigned short" => plain(2, None),
        "int" | "unsigned int" => plain(4, None),
        "long" | "long int" | "long long" | "unsigned long" => plain(8, None),
        other if other.starts_with("Float8_") => plain(1, Some(Dtype::Fp8)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Inputs;
    use crate::roofline::Dtype;

    #[test]
    fn inputs_are_read_as_the_profiler_writes_them() {
        let inputs = Inputs::parse(
            r#"[[16, 559], [[1, 2], [3]], [], [4]]"#,
            r#"["c10::BFloat16", "TensorList", "Scalar", "c10::Float4_e2m1fn_x2"]"#,
            r#"["", "", "True", "[1, 2]"]"#,
        )
        .unwrap();
        let first = inputs.tensor(0).unwrap();
        assert_eq!((first.bytes(), first.element.dtype), (Some(16 * 559 * 2), Some(Dtype::Bf16)));
        assert_eq!(inputs.tensor(1), None);
        assert_eq!((inputs.flag(2), inputs.flag(0)), (Some(true), None));
        assert_eq!(inputs.list(3), Some(vec![1, 2]));
        assert_eq!(inputs.tensor(3).unwrap().element.packed, 2);
    }

    #[test]
    fn without_sizes_there_is_nothing_to_count() {
        assert_eq!(Inputs::parse("", "", ""), None);
        assert_eq!(Inputs::parse("[[], []]", r#"["", "Scalar"]"#, ""), None);
        assert_eq!(Inputs::parse("[[-1]]", r#"["float"]"#, "").unwrap().tensor(0), None);
        let huge = Inputs::parse("[[4294967296, 4294967296]]", r#"["float"]"#, "").unwrap();
        assert_eq!(huge.tensor(0).unwrap().bytes(), None);
    }
}
