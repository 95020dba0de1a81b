"""Texts that a page must show and never obey."""

HOSTILE = (
    "</script><img src=x onerror=attack()>",
    "<!--<script>attack()//",
    "'\"><svg onload=attack()>",
    "$\\frac{1}{0}$ & &amp; ]]>",
    "\u202eevil\u202c \u2066x",
    "nul\x00 bell\x07 line\u2028end\u2029",
    "half \ud800 of one",
    "javascript:attack()",
)
ALL = " ".join(HOSTILE)
