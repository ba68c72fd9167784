//! The page's style sheet. Colours are the variables of the pictures.

/// Styles of the page.
pub const PAGE: &str = "\
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}\
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\
\"Helvetica Neue\",Arial,sans-serif;font-variant-numeric:tabular-nums}\
header,main,footer{max-width:1080px;margin:0 auto;padding:0 28px}header{padding-top:40px}\
footer{padding-top:8px;padding-bottom:48px;color:var(--soft);font-size:13px}\
h1{font-size:27px;line-height:1.2;margin:0;font-weight:680;letter-spacing:-.012em;overflow-wrap:anywhere}\
h2{font-size:19px;margin:0 0 12px;font-weight:650;letter-spacing:-.006em}h3{font-size:15px;margin:0 0 6px;font-weight:650}\
section{padding:26px 0 6px}section>p:first-of-type{margin-top:0}p{margin:0 0 10px;max-width:76ch}\
a{color:var(--live);text-decoration-thickness:1px;text-underline-offset:2px}\
code,pre,.mono{font-family:ui-monospace,SFMono-Regular,\"SF Mono\",Menlo,Consolas,\"Liberation Mono\",monospace;\
font-size:.885em}code{overflow-wrap:anywhere}code:empty{display:none}p code,td code,li code{background:var(--faint);padding:.08em .32em;\
border-radius:4px}td.cmd code{background:none;padding:0;font-size:12px}\
.soft{color:var(--soft)}.meta{color:var(--soft);margin:6px 0 0;max-width:none}.meta b{color:var(--ink);font-weight:600}\
.defs{position:absolute}\
.rehearsal{margin:18px 0 0;padding:9px 14px;border:2px dashed var(--soft);border-radius:8px;font-weight:600;max-width:none}\
.verdict{margin:20px 0 0;padding:18px 22px;border:1px solid var(--tone);border-left-width:6px;border-radius:10px;\
background:var(--tint);display:grid;grid-template-columns:auto 1fr;gap:4px 14px;align-items:center}\
.verdict svg{width:30px;height:30px}.verdict .title{font-size:21px;font-weight:680;color:var(--tone);margin:0}\
.verdict .title small{font-size:13px;font-weight:500;color:var(--soft);margin-left:8px;white-space:nowrap}\
.verdict .why{grid-column:2;margin:0;font-size:16px}.verdict .act{grid-column:2;margin:2px 0 0;color:var(--soft);\
font-size:13.5px}\
symbol path{fill:none;stroke:currentColor;stroke-width:1.9;stroke-linecap:round;stroke-linejoin:round}\
.badge{display:inline-flex;align-items:baseline;gap:5px;color:var(--tone);font-weight:600;font-size:13.5px;\
white-space:nowrap}.badge svg{width:15px;height:15px;flex:none;align-self:center}\
.counts{display:flex;flex-wrap:wrap;gap:6px 18px;margin:16px 0 0;padding:0;list-style:none}.counts b{margin-right:3px}\
nav{margin:18px 0 0;padding:9px 0;border-top:1px solid var(--line);border-bottom:1px solid var(--line);display:flex;\
flex-wrap:wrap;gap:3px 18px;font-size:13.5px}nav a{color:var(--soft);text-decoration:none}nav a:hover{color:var(--live);\
text-decoration:underline}\
.scroll{overflow-x:auto;margin:0 0 16px}.scroll>svg{display:block;margin:0 auto;max-width:none}\
.figure{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px;margin:0 0 16px}\
.figure figcaption{color:var(--soft);font-size:13px;margin:10px 0 0;max-width:84ch}.figure .scroll{margin:0}.scroll.tall{max-height:min(85vh,1400px);overflow:auto}\
svg.tl{min-width:760px;width:100%;height:auto}svg.cp{min-width:520px;width:100%;max-width:760px;height:auto}\
table{border-collapse:collapse;width:100%;font-size:14px}caption{text-align:left;color:var(--soft);font-size:13px;\
padding:0 0 6px}th,td{text-align:left;vertical-align:top;padding:7px 14px 7px 0;border-bottom:1px solid var(--line)}\
th:last-child,td:last-child{padding-right:0}thead th{font-size:12.5px;font-weight:600;color:var(--soft);\
border-bottom-color:var(--soft);white-space:nowrap}tbody th{font-weight:600}th .soft{font-weight:400}table.wide{min-width:640px}table.wide td:nth-child(3){width:36%}\
table.data{width:auto;min-width:min(100%,560px)}table.data th,table.data td{padding-right:32px}.num{text-align:right;white-space:nowrap}th.num,td.num{padding-right:26px}\
td.cmd,td.text{overflow-wrap:anywhere}td.cmd{min-width:240px}table.wide td{min-width:70px}\
table.pairs{width:auto;min-width:min(100%,480px)}table.pairs th{color:var(--soft);font-weight:500;padding-right:28px;\
white-space:nowrap}table.pairs td{overflow-wrap:anywhere}.null{color:var(--soft);font-style:italic}\
.card{border:1px solid var(--line);border-left:4px solid var(--tone);border-radius:8px;background:var(--card);\
padding:13px 16px;margin:0 0 12px}.card h3{display:flex;flex-wrap:wrap;gap:4px 12px;align-items:baseline;margin:0 0 4px}\
.card p{margin:0 0 8px}.card p:last-child{margin:0}pre{margin:0 0 4px;padding:10px 12px;background:var(--faint);\
border-radius:6px;overflow-x:auto;line-height:1.45;font-size:12.5px;white-space:pre}\
details{margin:0 0 14px}summary{cursor:pointer;color:var(--soft);font-size:14px;padding:3px 0}\
summary:hover{color:var(--ink)}summary b{color:var(--ink);font-weight:600}details[open]>summary{margin-bottom:8px}\
:focus-visible{outline:2px solid var(--live);outline-offset:2px;border-radius:3px}ul.plain{margin:0 0 12px;\
padding-left:20px}ul.plain li{margin:2px 0;overflow-wrap:anywhere}\
.scalars{display:flex;flex-wrap:wrap;gap:14px;margin:0 0 18px;padding:0}.scalars div{border:1px solid var(--line);\
border-radius:8px;background:var(--card);padding:10px 16px;min-width:130px;max-width:100%}.scalars dt{color:var(--soft);\
font-size:13px}.scalars dd{margin:0;font-size:21px;font-weight:650;overflow-wrap:anywhere}.scalars dd small{font-size:14px;\
font-weight:500;color:var(--soft)}.scalars dd.null{font-size:14px;font-weight:400;max-width:40ch}\
.scalars .note{color:var(--soft);font-size:12.5px;font-weight:400;max-width:34ch}\
@media (max-width:600px){header,main,footer{padding-left:16px;padding-right:16px}header{padding-top:22px}\
h1{font-size:23px}.verdict{padding:14px 15px;gap:4px 10px}.verdict .why,.verdict .act{grid-column:1/-1}\
.verdict .title small{margin-left:0;display:block}.figure{padding:10px}th,td{padding-right:10px}}\
@media print{:root{--page:#fff;--card:#fff}body{font-size:10.5pt}nav{display:none}header,main,footer{max-width:none;\
padding-left:0;padding-right:0}.card,.verdict,figure,tr{break-inside:avoid}h2,h3,caption{break-after:avoid}\
.scroll,.scroll.tall{overflow:visible;max-height:none}svg.dg{max-width:100%;height:auto}svg.tl,svg.cp{min-width:0}\
details::details-content{content-visibility:visible;height:auto}a{color:inherit}}";
