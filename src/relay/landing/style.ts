/**
 * The page's only style. It is inline and allowed by its hash in the Content-Security-Policy, so that no other style
 * can be injected.
 */
export const landingStyle = `
:root{color-scheme:light dark;--ground:#faf9f7;--card:#fff;--ink:#1c1b22;--soft:#5d5b66;--line:#e3e0da;--accent:#3a4bd0;--on:#177245}
@media(prefers-color-scheme:dark){:root{--ground:#131318;--card:#1c1c23;--ink:#ecebf2;--soft:#a5a3b1;--line:#32323c;--accent:#a3b1ff;--on:#6fd3a0}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
header,main,footer{max-width:58rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:3.5rem}
header svg{display:block;width:2.75rem;height:2.75rem;color:var(--accent)}
h1{margin:1rem 0 .5rem;font-size:clamp(1.6rem,5vw,2.4rem);line-height:1.2;letter-spacing:-.02em}
h2{margin:3rem 0 .75rem;font-size:1.2rem;line-height:1.3}
h3{margin:0;font-size:1.05rem;line-height:1.4}
p{margin:0 0 .75rem;max-width:44rem}
a{color:var(--accent);text-underline-offset:.2em}
a:focus-visible,pre:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:4px}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.9em}
pre{margin:0 0 .75rem;padding:1rem 1.1rem;background:var(--card);border:1px solid var(--line);border-radius:10px;white-space:pre-wrap}
pre code{font-size:.95rem;user-select:all}
.lead{color:var(--soft);font-size:1.1rem}
.note,footer{color:var(--soft);font-size:.9rem}
ul{list-style:none;margin:0;padding:0}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,18rem),1fr));gap:.5rem 2rem;margin:1rem 0 0}
.facts dt{color:var(--soft);font-size:.85rem}
.facts dd{margin:0}
form{display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:end;margin:0 0 .9rem}
label{display:grid;gap:.2rem;color:var(--soft);font-size:.85rem}
input,select,button{font:inherit;font-size:1rem;padding:.4rem .7rem;color:var(--ink);background:var(--card);border:1px solid var(--soft);border-radius:8px}
button{cursor:pointer}
input:focus-visible,select:focus-visible,button:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
#builder input{width:9rem}
#search input{flex:1 1 14rem;max-width:26rem}
nav{display:flex;gap:1.2rem;margin-top:1.2rem}
.services img{display:block;width:calc(100% + 2.2rem);height:auto;aspect-ratio:16/10;margin:-1rem -1.1rem .8rem;object-fit:cover;object-position:top;background:var(--line)}
[hidden]{display:none!important}
.services{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:1rem;align-items:start;margin-top:1rem}
.services>li{overflow:hidden;padding:1rem 1.1rem;background:var(--card);border:1px solid var(--line);border-radius:12px}
.services p{margin:.35rem 0 0}
.state{color:var(--soft);font-size:.85rem}
.state::before{content:"";display:inline-block;width:.55rem;height:.55rem;margin-right:.4rem;border:2px solid var(--soft);border-radius:50%}
.online{color:var(--on)}
.online::before{background:var(--on);border-color:var(--on)}
.tags{display:flex;flex-wrap:wrap;gap:.35rem;margin-top:.6rem}
.tags a{color:inherit;text-decoration:none}
.tags li{max-width:100%;padding:0 .55rem;border:1px solid var(--line);border-radius:99px;color:var(--soft);font-size:.8rem}
footer{margin-top:3.5rem;padding-bottom:3rem}
`;
