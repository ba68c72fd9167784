//! Colours and styles of the pictures, shared by the page and by SVG files that stand alone.
//!
//! Tones were chosen for a contrast of at least 4.5 : 1 against their page (WCAG 2.2, 1.4.3), text and icon alike.

/// CSS variables in light and dark.
pub const VARIABLES: &str = "\
:root{--page:#fbfbfa;--card:#fff;--ink:#1c2128;--soft:#59636e;--line:#dfe3e8;--faint:#eef0f3;\
--good:#1a7543;--good-tint:#e7f4ec;--bad:#b3261e;--bad-tint:#fcebe9;--warn:#8a5a00;--warn-tint:#fdf3dc;\
--quiet:#5f6874;--quiet-tint:#eff1f4;--live:#2457b8;--live-tint:#e8effc}\
@media (prefers-color-scheme:dark){:root{--page:#14171b;--card:#1b1f25;--ink:#e4e7eb;--soft:#9aa4b0;--line:#313842;\
--faint:#242a32;--good:#5fc58a;--good-tint:#17301f;--bad:#ff8a80;--bad-tint:#3a1d1b;--warn:#e3b04e;--warn-tint:#35290f;\
--quiet:#9aa4b0;--quiet-tint:#262c34;--live:#86aefc;--live-tint:#1b2a47}}\
.t-good{--tone:var(--good);--tint:var(--good-tint)}.t-bad{--tone:var(--bad);--tint:var(--bad-tint)}\
.t-warn{--tone:var(--warn);--tint:var(--warn-tint)}.t-quiet{--tone:var(--quiet);--tint:var(--quiet-tint)}\
.t-live{--tone:var(--live);--tint:var(--live-tint)}";

/// Styles of everything drawn.
pub const PICTURES: &str = "\
svg text{font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif;fill:var(--ink);\
font-variant-numeric:tabular-nums}\
svg .soft{fill:var(--soft);font-size:11px}svg .name{font-size:13px;font-weight:600}svg .mid{text-anchor:middle}\
svg .end{text-anchor:end}svg .icon{fill:none;stroke:var(--tone);stroke-width:1.7;stroke-linecap:round;\
stroke-linejoin:round}\
.dg .box{fill:var(--card);stroke:var(--tone,var(--line));stroke-width:1.2}.dg .back{fill:var(--faint);\
stroke:var(--tone,var(--line));stroke-width:1}.dg .bar{stroke:var(--tone,var(--line));stroke-width:1;fill:none}\
.dg .t-bad .box{fill:var(--bad-tint)}.dg .t-warn .box{fill:var(--warn-tint)}.dg .t-quiet .box{stroke-dasharray:3 3}\
.dg .edge{fill:none;stroke:var(--soft);stroke-opacity:.55;stroke-width:1.2}.dg .waits{stroke-dasharray:4 3}\
.dg .tip{fill:var(--soft);fill-opacity:.75}.dg .band{stroke:var(--line);stroke-dasharray:2 4;fill:none}\
.tl .grid{stroke:var(--line);stroke-width:1;fill:none}.tl .lane{fill:var(--faint);fill-opacity:.55}\
rect.run{fill:var(--tone);fill-opacity:.82}.tl .starting{fill:var(--tint);stroke:var(--tone);stroke-width:1}\
.tl .open{fill:var(--tint);stroke:var(--tone);stroke-dasharray:3 2}.tl .ready{fill:var(--card);stroke:var(--tone);\
stroke-width:1.5}.tl .session{stroke:var(--live);stroke-dasharray:3 3;fill:none}.tl .gap{fill:var(--page)}\
.hatch{stroke:var(--card);stroke-width:2.4;stroke-opacity:.75}.hatch-dot{fill:var(--card);fill-opacity:.8}\
.cp .grid{stroke:var(--line);fill:none}.cp .equal{stroke:var(--soft);stroke-width:1.2;fill:none}\
.cp .tie{fill:var(--quiet-tint)}.cp .ci{stroke:var(--live);stroke-width:3;stroke-linecap:round;fill:none}\
.cp .point{fill:var(--live);stroke:var(--card);stroke-width:1.5}.cp .sample{fill:var(--live);fill-opacity:.38}\
.cp .quartiles{fill:var(--live-tint);fill-opacity:.7;stroke:var(--live);stroke-width:1}\
.scroll>svg.rt{width:100%;max-width:1000px;min-width:620px;height:auto}.rt .grid{stroke:var(--line);fill:none}\
.rt .equal{stroke:var(--soft);stroke-width:1.3;fill:none}.rt .tie{fill:var(--quiet-tint)}\
.rt .ci{stroke:var(--tone);stroke-width:2.4;stroke-linecap:round;fill:none}.rt .point{fill:var(--tone);stroke:var(--card);\
stroke-width:1.5}.rt .hollow{fill:var(--card);stroke:var(--tone);stroke-width:1.8}.rt .whole{fill:var(--card);stroke:var(--live);stroke-width:2}\
.cp .median{stroke:var(--live);stroke-width:2.2;fill:none}.cp .whisker{stroke:var(--live);fill:none}\
.scroll>svg.bp{width:100%;max-width:880px;min-width:520px;height:auto}.bp .grid{stroke:var(--line);stroke-width:1;fill:none}\
.bp .base{stroke:var(--soft);stroke-width:1;fill:none}.bp .bin{fill:var(--live);fill-opacity:.72}\
.bp .area{fill:var(--live);fill-opacity:.16}.bp .course{stroke:var(--live);stroke-width:1.6;fill:none;stroke-linejoin:round}\
.bp .most{stroke:var(--quiet);stroke-width:1.1;fill:none;stroke-dasharray:3 2}\
.bp .mark{stroke:var(--bad);stroke-width:1.3;fill:none;stroke-dasharray:5 3}\
.bp .limit{stroke:var(--warn);stroke-width:1.5;fill:none;stroke-dasharray:7 4}\
.bp .other{stroke:var(--warn);stroke-width:1.5;fill:none}.bp .failed{fill:var(--bad)}\
.bp .trail{stroke:var(--tone);stroke-opacity:.6;stroke-width:1.4;fill:none}\
.bp .shape{fill:var(--tone);stroke:var(--card);stroke-width:1}.bp .hollow{fill:var(--card);stroke:var(--tone);stroke-width:1.6}\
svg text.in{font-size:11.5px;fill:#14171b;pointer-events:none}.part{stroke:var(--card);stroke-width:.8}\
.fl text.in{font-size:11px}\
.k0{fill:#8fb8f0}.k1{fill:#f2b88a}.k2{fill:#9fd3a8}.k3{fill:#e6a3b8}.k4{fill:#c9b6ee}.k5{fill:#e9d98a}.k6{fill:#8fd0d3}\
.k7{fill:#d0b9a2}.k8{fill:#b7c0cb}.k9{fill:#d7e3a0}\
.f0{fill:#f3c98b}.f1{fill:#f0b48a}.f2{fill:#f6d79a}.f3{fill:#eab98f}.f4{fill:#f2c1a1}.f5{fill:#ecd08f}";
