"""The interactive page: what it holds, and that it runs in a browser without the network."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import hii_mm
from hii_mm import Scheme
from hii_mm.errors import UsageError

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)


@pytest.fixture
def report(photos):
    evil = {'</script><b>': photos['flag'], 'face': photos['face']}
    return hii_mm.attack(evil, Scheme(16), attacks=['identity', 'mixup-inverse'], size=0, sweep='gap=0:1,mixup', jobs=1)


def content(page):
    return json.loads(re.search(r'^const data = (.*)$', page, re.M).group(1))


def test_the_page_holds_every_photo_at_every_setting(report):
    page = report.to_explorer()
    data = content(page)
    assert data['photos'] == ['</script><b>', 'face']
    assert [slider['name'] for slider in data['sliders']] == ['mixed', 'gap']
    assert len(data['runs']) == 2 * len(data['names']) == 6
    assert page.count('</script>') == 1
    assert 'http' not in page.replace('http-equiv', '')
    assert len(page) < 10e6


def test_one_setting_alone_has_no_page(photos):
    report = hii_mm.attack(photos, Scheme(16), attacks=['identity'], size=0, jobs=1)
    assert not report.explores
    with pytest.raises(UsageError, match='use a sweep'):
        report.to_explorer()


@pytest.mark.skipif(CHROMIUM is None, reason='no Chromium')
def test_the_sliders_choose_what_is_shown(report, tmp_path):
    page = report.to_explorer().replace('show()\n</script>', "show()\nchoose('gap', 1)\n</script>")
    (tmp_path / 'explore.html').write_text(page)
    flags = ['--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={tmp_path / "profile"}']
    words = [CHROMIUM, *flags, '--virtual-time-budget=2000', '--dump-dom', (tmp_path / 'explore.html').as_uri()]
    dom = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    assert 'aria-valuetext="1"' in dom
    assert '>RS p 16, gap 1</p>' in dom
    assert dom.count('<figcaption>') == len(set(re.findall(r'<figcaption>(.*?)</figcaption>', dom))) >= 2
    assert np.all([label in dom for label in ('for="photo"', 'for="slider-gap"')])
