import { html } from './html.js';

/** The report's style sheet. Plain and quiet: one accent, one warning colour, numbers aligned. */
export const reportStyle = html`
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --line: #e3e6ea; --text: #1b1f24; --soft: #5c6670;
  --engine: #2563a8; --fallback: #c77d16; --removed: #b6bec7; --good: #1a7f4b; --bad: #bf2f3f; --tint: #eef2f7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1c2026; --line: #2e343c; --text: #e4e8ed; --soft: #99a4b0;
    --engine: #62a5ee; --fallback: #e3a24a; --removed: #525c67; --good: #57c08a; --bad: #ef7a86; --tint: #252b33;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 36px 24px 64px; }
header { margin-bottom: 24px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 17px; margin: 0 0 14px; font-weight: 650; }
h2 small, .soft { color: var(--soft); font-weight: 400; font-size: 13px; }
.tile b.soft { font-size: 21px; }
p { margin: 0 0 12px; }
code, .name { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12.5px; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px; margin-top: 18px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 14px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.tile b { display: block; font-size: 21px; font-weight: 650; line-height: 1.35; white-space: nowrap; font-variant-numeric: tabular-nums; letter-spacing: -0.01em; }
.tile span { color: var(--soft); font-size: 12.5px; }
.good { color: var(--good); } .bad { color: var(--bad); }
.bar { display: flex; gap: 2px; height: 12px; border-radius: 6px; overflow: hidden; background: var(--tint); margin: 2px 0 8px; }
.bar i { display: block; min-width: 2px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 13px; color: var(--soft); }
.legend i, .dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 6px; }
.engine { background: var(--engine); } .fallback { background: var(--fallback); } .removed { background: var(--removed); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th { text-align: left; font-weight: 550; color: var(--soft); font-size: 12.5px; white-space: nowrap; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child > td { border-bottom: 0; }
th:last-child, td:last-child { padding-right: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.nowrap { white-space: nowrap; }
td.wide { min-width: 240px; } td.name { min-width: 140px; } .nodes td.name { width: 45%; }
.stages td { border-bottom: 0; padding-top: 3px; padding-bottom: 3px; } .stages td:first-child, .stages td:last-child { width: 1%; white-space: nowrap; }
.meter div { height: 8px; margin-top: 7px; border-radius: 4px; background: var(--tint); }
.meter i { display: block; height: 100%; border-radius: 4px; min-width: 2px; background: var(--engine); }
.pill { display: inline-block; border: 1px solid currentColor; border-radius: 20px; padding: 0 9px; font-size: 12px; font-weight: 600; white-space: nowrap; }
.sizes { display: flex; flex-wrap: wrap; gap: 6px 44px; margin-top: 16px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 22px; margin: 0; font-size: 13.5px; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
dd div + div { margin-top: 2px; }
details { margin-top: 14px; } details summary { cursor: pointer; color: var(--soft); font-size: 13.5px; }
details[open] summary { margin-bottom: 10px; }
td details { margin-top: 4px; } td details summary { font-size: 12.5px; }
ul { margin: 0; padding-left: 18px; }
footer { color: var(--soft); font-size: 12.5px; margin-top: 24px; }
@media (max-width: 620px) { main { padding: 20px 12px 40px; } section { padding: 16px 14px; } dl { grid-template-columns: 1fr; gap: 2px; } dd { margin-bottom: 8px; } }
@media print { body { background: none; } section, .tile { break-inside: avoid; } }
`;
