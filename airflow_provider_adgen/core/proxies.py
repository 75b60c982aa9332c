# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Which proxy the environment names for a host; what HTTP_PROXY, NO_PROXY and so on mean is the standard library's."""

from __future__ import annotations

import re
import urllib.request

Origin = tuple[str, str]
"""A URL's scheme, and its host with the port."""


def origin_of(url: str) -> Origin:
    """Return the scheme of a URL, and its host with the port."""
    scheme, _, rest = url.partition("://")
    return scheme.lower(), re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]


def proxy_for(origin: Origin) -> str | None:
    """Return the URL of the proxy that the environment names, or None; it may hold a password."""
    scheme, host = origin
    # Not an operating system's settings: reading them may look up names, and this runs on an event loop.
    proxies = urllib.request.getproxies_environment()
    proxy = proxies.get(scheme) or proxies.get("all")
    # NO_PROXY may name an IPv6 address without its brackets, and * among others.
    names = (host, host.lstrip("[").partition("]")[0])
    everything = "*" in re.split(r"[\s,]+", proxies.get("no", ""))
    if not proxy or everything or any(map(urllib.request.proxy_bypass, names)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
