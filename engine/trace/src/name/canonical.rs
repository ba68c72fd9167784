//! The one spelling under which a kernel name is counted.
//!
//! It must keep apart what are different kernels: template arguments and tile sizes stay.

use std::borrow::Cow;

/// What stands for an object's address. It is not an address itself, so `canonical` leaves its own result alone.
pub const ADDRESS: &str = "0xADDR";

/// The name with whitespace collapsed, object addresses replaced by [`ADDRESS`], and the parameter list of a
/// `void name(...)` dropped. Template arguments stay.
///
/// An address is `0x` and hex digits between word boundaries: `Tensor object at 0x7f12`, never the `0x224` of
/// `MT320x224x64` or of `nvjet_tst_320x128_64x4`.
pub fn canonical(name: &str) -> Cow<'_, str> {
    let spaced = collapse(name);
    match spaced {
        Cow::Borrowed(text) => addresses(parameters(text)),
        Cow::Owned(text) => Cow::Owned(addresses(parameters(&text)).into_owned()),
    }
}

/// Runs of whitespace and control characters become one space, ends are trimmed.
pub(super) fn collapse(name: &str) -> Cow<'_, str> {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    let trimmed = name.trim_matches(blank);
    let clean = !trimmed.contains(|c: char| blank(c) && c != ' ')
        && !trimmed.as_bytes().windows(2).any(|two| two == b"  ");
    if clean {
        return Cow::Borrowed(trimmed);
    }
    Cow::Owned(trimmed.split(blank).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "))
}

/// Drops the parameter list by a balanced scan from the right.
fn parameters(name: &str) -> &str {
    if !name.starts_with("void ") || !name.ends_with(')') {
        return name;
    }
    let mut depth = 0usize;
    for (at, byte) in name.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            // `void (anonymous namespace)` alone has no name before the bracket: keep it.
            let head = name[..at].trim_end();
            return if head.len() > "void".len() { head } else { name };
        }
    }
    name
}

/// Replaces the addresses.
fn addresses(name: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut from = 0;
    for (at, _) in name.match_indices("0x") {
        if at < from || name[..at].ends_with(is_word) {
            continue;
        }
        let digits = name[at + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        let end = at + 2 + digits;
        if digits == 0 || name[end..].starts_with(is_word) {
            continue;
        }
        out.push_str(&name[from..at]);
        out.push_str(ADDRESS);
        from = end;
    }
    if from == 0 {
        return Cow::Borrowed(name);
    }
    out.push_str(&name[from..]);
    Cow::Owned(out)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tile_sizes_are_no_addresses() {
        for name in [
            "Cijk_Alik_Bljk_BBS_BH_MT320x224x64_MI16x16x1_SN",
            "nvjet_tst_320x128_64x4_2x1_v_bz_coopA_TNN",
            "sm80_xmma_tilesize0x224x64",
            "kernel_0x128_",
            "0x224x64",
            "0x",
        ] {
            assert_eq!(canonical(name), name);
        }
        assert_ne!(
            canonical("nvjet_tst_320x128_64x3_1x2_h_bz_TNN"),
            canonical("nvjet_tst_320x192_64x3_1x2_h_bz_TNN"),
            "distinct kernels stay distinct"
        );
    }

    #[test]
    fn addresses_become_one_name() {
        for (name, expected) in [
            (
                "<built-in method size of Tensor object at 0x7f12ab>",
                "<built-in method size of Tensor object at 0xADDR>",
            ),
            ("a 0xdead, b (0xbeef)", "a 0xADDR, b (0xADDR)"),
            ("f<0x10>", "f<0xADDR>"),
        ] {
            assert_eq!(canonical(name), expected);
            assert_eq!(canonical(expected), expected, "once more changes nothing");
        }
    }

    #[test]
    fn parameters_go_template_arguments_stay() {
        for (name, expected) in [
            ("void  foo<8u,\n __nv_bfloat16>(int, void (*)(int))", "void foo<8u, __nv_bfloat16>"),
            ("void k<f(int)::{lambda()#1}>(g(int)::{lambda()#1}, long)", "void k<f(int)::{lambda()#1}>"),
            (
                "void (anonymous namespace)::q<128l>((anonymous namespace)::P)",
                "void (anonymous namespace)::q<128l>",
            ),
            ("ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)", ""),
            ("std::enable_if<true, void>::type a::k<8>(int)", ""),
            ("void (anonymous namespace)", ""),
            ("void )", ""),
            ("", ""),
        ] {
            let expected = if expected.is_empty() { name } else { expected };
            assert_eq!(canonical(name), expected, "{name}");
        }
    }

    #[test]
    fn a_clean_name_is_not_copied() {
        assert!(matches!(canonical("void foo<int>(int)"), Cow::Borrowed("void foo<int>")));
    }
}
