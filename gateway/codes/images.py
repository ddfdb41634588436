"""Draws codes: SVG for screens and print, PNG for what cannot show SVG."""

from __future__ import annotations

import io
from typing import Final, Literal

import segno
from fastapi import Response

SCALE_MAX: Final = 32
ImageKind = Literal["svg", "png"]
IMAGE_TYPES: Final = {"svg": "image/svg+xml", "png": "image/png"}
_BORDER: Final = 4
"""Light modules around the code: what ISO/IEC 18004 asks for, and scanners rely on."""


def image_answer(content: str, kind: ImageKind, scale: int, *, cache: str) -> Response:
    """The code as an HTTP answer; `cache` is its Cache-Control."""
    drawn = svg(content, scale) if kind == "svg" else png(content, scale)
    headers = {
        "Cache-Control": cache,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'",
        "Content-Disposition": f'inline; filename="code.{kind}"',
    }
    return Response(drawn, media_type=IMAGE_TYPES[kind], headers=headers)


def svg(content: str, scale: int = 8) -> bytes:
    """The code as an SVG image, `scale` pixels a module."""
    out = io.BytesIO()
    _draw(content).save(out, kind="svg", scale=scale, border=_BORDER, light="white", xmldecl=False)
    return out.getvalue()


def svg_inline(content: str, scale: int = 8) -> str:
    """The same to stand in an HTML page."""
    return _draw(content).svg_inline(scale=scale, border=_BORDER, light="white", omitsize=True)


def png(content: str, scale: int = 8) -> bytes:
    """The code as a PNG image."""
    out = io.BytesIO()
    _draw(content).save(out, kind="png", scale=scale, border=_BORDER)
    return out.getvalue()


def _draw(content: str) -> segno.QRCode:
    # Level M survives a scratch or a stain on 15 % of the code, and keeps the modules large.
    return segno.make(content, error="m", micro=False, boost_error=False)
