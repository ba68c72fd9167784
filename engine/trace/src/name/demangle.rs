//! Mangled names to readable ones.
//!
//! A symbol that the demangler refuses (cut off by the profiler, or of a newer ABI) still shows its namespaces, its name
//! and the first named template argument; that is all the rest of this module needs.

use cpp_demangle::{DemangleOptions, Symbol};
use std::fmt::{self, Write};

/// Nested names deeper than this are not followed; real kernels need two.
const DEEPEST: usize = 8;

/// Substitutions can make a short symbol expand without end; the longest real names of CUTLASS have some 20 kB.
const LONGEST: usize = 1 << 20;

/// The readable form of an Itanium-mangled name (`_Z...`); any other text as it is.
pub(super) fn demangle(name: &str) -> String {
    if !name.starts_with("_Z") {
        return name.to_owned();
    }
    // AMD appends `.kd` to the descriptor's symbol.
    let symbol = name.strip_suffix(".kd").unwrap_or(name);
    let whole = Symbol::new(symbol).ok().and_then(|symbol| limited(&symbol));
    whole.or_else(|| partial(symbol)).unwrap_or_else(|| name.to_owned())
}

/// The readable form, if it stays within [`LONGEST`].
fn limited(symbol: &Symbol<&str>) -> Option<String> {
    let mut out = Limited(String::new());
    symbol.structured_demangle(&mut out, &DemangleOptions::default()).ok()?;
    Some(out.0)
}

/// Text that refuses to grow over [`LONGEST`].
struct Limited(String);

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// The beginning of a symbol: `ns::name<first named argument>`.
fn partial(symbol: &str) -> Option<String> {
    let mut rest = symbol.strip_prefix("_Z")?;
    name(&mut rest, DEEPEST).filter(|name| !name.is_empty())
}

/// Reads one name, nested (`N...E`) or plain, with its template arguments up to the first named one.
fn name(rest: &mut &str, depth: usize) -> Option<String> {
    if depth == 0 {
        return None;
    }
    let nested = eat(rest, "N");
    if nested {
        *rest = rest.trim_start_matches(['K', 'V', 'r', 'R', 'O']);
    }
    let mut parts: Vec<String> = Vec::new();
    loop {
        if eat(rest, "St") {
            parts.push("std".to_owned());
        } else if rest.starts_with('S') {
            // A substitution repeats a prefix that was spelled before; it adds nothing to the name.
            let end = rest.find('_')?;
            *rest = &rest[end + 1..];
        } else if eat(rest, "12_GLOBAL__N_1") {
            parts.push("(anonymous namespace)".to_owned());
        } else if let Some(part) = identifier(rest) {
            parts.push(part);
        } else {
            break;
        }
        if !nested && !rest.starts_with('I') {
            break;
        }
    }
    if eat(rest, "I") {
        let arguments = arguments(rest, depth);
        if !arguments.is_empty() {
            let last = parts.last_mut()?;
            *last = format!("{last}<{}>", arguments.join(", "));
        }
    }
    Some(parts.join("::"))
}

/// The arguments up to and including the first named one.
fn arguments(rest: &mut &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        if eat(rest, "L") {
            let Some(end) = rest.find('E') else { return found };
            found.push(rest[..end].trim_start_matches(|c: char| !c.is_ascii_digit()).to_owned());
            *rest = &rest[end + 1..];
        } else if eat(rest, "DF16b") {
            found.push("__bf16".to_owned());
        } else if rest.starts_with(|c: char| c == 'N' || c.is_ascii_digit()) {
            found.extend(name(rest, depth - 1).filter(|name| !name.is_empty()));
            return found;
        } else {
            return found;
        }
    }
}

/// `<length><characters>`.
fn identifier(rest: &mut &str) -> Option<String> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let length: usize = rest[..digits].parse().ok()?;
    let text = rest.get(digits..digits.checked_add(length)?)?;
    *rest = &rest[digits + length..];
    Some(text.to_owned())
}

fn eat(rest: &mut &str, start: &str) -> bool {
    match rest.strip_prefix(start) {
        Some(tail) => {
            *rest = tail;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_symbols_are_demangled() {
        let name = demangle(
            "_ZN5aiter24add_rmsnorm_quant_kernelIDF16bDF16bLi256ELi16ELb0ELb0ELb1ELi1EEEvPT0_PT_PfS4_S4_S4_diiiiiiib",
        );
        assert!(name.starts_with("void aiter::add_rmsnorm_quant_kernel<"), "{name}");
        assert_eq!(demangle("_Z3fooi.kd"), "foo(int)");
    }

    #[test]
    fn cut_off_and_foreign_symbols_keep_their_head() {
        for (symbol, expected) in [
            (
                "_ZN7ck_tile6kentryILi1ENS_12Rmsnorm2dFwdINS_27Rmsnorm2dFwdPipelineOneP",
                "ck_tile::kentry<1, Rmsnorm2dFwd>",
            ),
            (
                "_ZN7sgl_hip10activation18act_and_mul_kernelI14__hip_bfloat16TnPFT_RKS3_EX",
                "sgl_hip::activation::act_and_mul_kernel<__hip_bfloat16>",
            ),
            ("_ZN12_GLOBAL__N_13fooI", "(anonymous namespace)::foo"),
        ] {
            assert_eq!(demangle(symbol), expected);
        }
    }

    #[test]
    fn a_symbol_that_explodes_gives_up_early() {
        // Each argument names the type before it twice: 40 doublings would be a terabyte.
        let mut symbol = "_Z3fooI1AIiiE".to_owned();
        let digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for step in 0..40 {
            let at = 2 * step + 1;
            let last = match at {
                0..36 => digits[at..=at].to_owned(),
                _ => format!("{}{}", &digits[at / 36..=at / 36], &digits[at % 36..=at % 36]),
            };
            symbol.push_str(&format!("1BIS{last}_S{last}_E"));
        }
        symbol.push_str("Evv");
        let parsed = Symbol::new(symbol.as_str()).expect("a sound symbol");
        assert_eq!(limited(&parsed), None);
        assert!(demangle(&symbol).starts_with("foo<A"));
    }

    #[test]
    fn nonsense_stays_as_it_is() {
        for symbol in ["_Z", "_Z99foo", "_ZN", "_ZNS", "plain", "_Z18446744073709551615x"] {
            assert_eq!(demangle(symbol), symbol);
        }
    }
}
