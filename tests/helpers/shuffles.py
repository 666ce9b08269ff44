"""Random images and shuffle parameters, for hypothesis."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from hii_mm.encryption import ShuffleParams


@st.composite
def cases(draw):
    """(image, params): every parameter, every dtype, every kind of stride."""
    ph = draw(st.integers(1, 6))
    pw = draw(st.sampled_from([ph, ph, draw(st.integers(1, 6))]))
    rows, cols = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    assume(rows * cols > 1)
    remainder = draw(st.sampled_from(['error', 'pad', 'crop']))
    more = {'error': (0, 0), 'crop': (ph - 1, pw - 1), 'pad': (0, 0)}[remainder]
    less = (ph - 1, pw - 1) if remainder == 'pad' else (0, 0)
    h = rows * ph + draw(st.integers(-less[0], more[0]))
    w = cols * pw + draw(st.integers(-less[1], more[1]))
    dtype = draw(st.sampled_from(['uint8', 'uint16', 'float32']))
    params = ShuffleParams(
        patch_size=ph if ph == pw else (ph, pw),
        gap=draw(st.integers(0, (min(ph, pw) - 1) // 2)),
        drop_ratio=draw(st.sampled_from([0.0, 0.0, 0.25, 0.5])) if rows * cols > 2 else 0.0,
        orient=draw(st.booleans()),
        window=draw(st.sampled_from([None, None, 2, 3])),
        remainder=remainder,
        tone=dtype != 'float32' and draw(st.booleans()),
        noise=0 if dtype == 'float32' else draw(st.sampled_from([0, 0, 1, 20, 128])),
    )
    channels = draw(st.sampled_from([(), (1,), (2,), (3,), (4,)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    least, most = sorted(draw(st.sampled_from([(0, 60000), (0, 65535), (7, 30), (0, 0), (255, 256)])))
    image = rng.integers(least, most, (h, w) + channels, endpoint=True).astype(dtype)
    kind = draw(st.sampled_from(['plain', 'negative', 'strided', 'fortran', 'readonly']))
    if kind == 'negative':
        image = image[::-1, ::-1]
    elif kind == 'strided':
        image = np.repeat(np.repeat(image, 2, 0), 3, 1)[::2, ::3]
    elif kind == 'fortran':
        image = np.asfortranarray(image)
    elif kind == 'readonly':
        image.flags.writeable = False
    return image, params, rng
