"""``report.html``: one file that holds everything, asks for nothing, and runs no script."""

import base64
import html
from pathlib import Path

from .metrics import summary

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1b1b1b }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2.5rem; border-top: 1px solid #bbb; padding-top: 1rem }
h3 { font-size: 1.05rem; margin-bottom: .3rem }
table { border-collapse: collapse; margin: .6rem 0; font-size: .9rem }
th, td { border: 1px solid #ccc; padding: .2rem .6rem; text-align: right }
th:first-child, td:first-child { text-align: left }
.verdict { background: #f3f3f0; padding: .6rem .9rem; border-left: .3rem solid #777 }
.note { color: #555; font-size: .9rem }
.row { display: flex; gap: .8rem; margin: .8rem 0; flex-wrap: wrap }
figure { margin: 0 } figcaption { font-size: .8rem; color: #555; max-width: 224px }
figure img { height: 168px; image-rendering: auto; border: 1px solid #ddd }
img.plot { max-width: 100% }
"""
SHOWN = {
    'direct': ('right place', '{:.1%}'),
    'neighbour': ('right neighbours', '{:.1%}'),
    'surviving': ('right neighbours among the kept pieces', '{:.1%}'),
    'component': ('largest part', '{:.1%}'),
    'perfect': ('all kept pieces in place', '{:.1%}'),
    'top1': ('neighbour ranked first', '{:.1%}'),
    'named': ('right photo named', '{:.1%}'),
    'psnr': ('PSNR, dB', '{:.1f}'),
    'ssim': ('SSIM', '{:.2f}'),
    'faces': ('faces found again', '{:.1%}'),
    'words': ('words found again', '{:.1%}'),
    'classes': ('class found again', '{:.1%}'),
}


def page(report, out, plots=()):
    """The HTML of a report.

    Args:
        report: from :func:`.report.build`.
        out: the folder that the pictures' names are within.
        plots: (title, file) of PNG plots to put on top.
    """
    rows = {row['key']: row for row in report['results']}
    body = [f'<h1>What attacks recover from encrypted images</h1><p>{_about(report)}</p>']
    if report['interrupted']:
        body.append('<p class="verdict"><b>This run was interrupted.</b> What did not run is listed below.</p>')
    body.append(f'<p class="note">{_text(report["caveat"])}</p>')
    absent = [f'{judge} ({why})' for judge, why in report['judges'].items() if why]
    if absent:
        body.append(f'<p class="note">Recognisers that did not judge: {_text("; ".join(absent))}.</p>')
    body += [
        f'<h2>{_text(title)}</h2><img class="plot" alt="{_text(title)}" src="{_data(file)}">' for title, file in plots
    ]
    for setting in report['settings']:
        body.append(f'<h2>{_text(setting["name"])}</h2>')
        body += [_attack(attack, rows, out) for attack in setting['attacks'] if attack['status'] != 'not run']
    body.append(_not_run(report['not_run'], report['skipped_files']))
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width"><title>hii-mm attack report</title>'
        f'<style>{STYLE}</style></head><body>\n' + '\n'.join(body) + '\n</body></html>\n'
    )


def _text(value):
    return html.escape(str(value))


def _about(report):
    count = len({row['image'] for row in report['results']})
    words = [f'{report["created"]}, hii_mm {report["hii_mm"]}, {count} image{"s" * (count != 1)}', report['mode']]
    return '; '.join(map(_text, words)) + f'.<br><code>{_text(report["command"])}</code>'


def _attack(attack, rows, out):
    """Verdict, figures and pictures of one attack."""
    parts = [f'<h3>{_text(attack["name"])}</h3><p class="verdict">{_text(attack["verdict"])}</p>']
    if attack['reasons']:
        parts.append(f'<p class="note">Not run on all: {_text("; ".join(attack["reasons"]))}.</p>')
    shown = [metric for metric in SHOWN if attack['metrics'].get(metric, {}).get('count')]
    if shown:
        parts.append(_table(attack, shown))
    parts.append(f'<p class="note">Source: {_text(attack["source"])}. Cost: {_text(attack["cost"])}.</p>')
    if attack['name'] == 'identity':  # it recovers what the others' rows show as encrypted
        return '\n'.join(parts)
    done = {}
    for kind in ('worst', 'median', 'best'):
        key = attack['examples'][kind]
        if key not in done:
            done[key] = kind
    titles = {'worst': 'recovered most', 'median': 'the median image', 'best': 'recovered least'}
    parts += [_pictures(titles[kind], rows[key], attack['main'], out) for key, kind in done.items()]
    return '\n'.join(parts)


def _table(attack, shown):
    """Floors, mean, interval and worst decile of each figure."""
    floors = list(attack['floors'])
    head = ''.join(f'<th>{_text(name)}</th>' for name in ['figure', *floors, 'mean', '95 % interval', 'worst tenth'])
    lines = []
    for metric in shown:
        title, form = SHOWN[metric]
        found = attack['metrics'][metric]
        cells = [attack['floors'][floor].get(metric) for floor in floors]
        cells = ['' if cell is None else form.format(cell) for cell in cells]
        cells += [form.format(found['mean']), f'{form.format(found["low"])} to {form.format(found["high"])}']
        cells.append(form.format(found['worst_decile']))
        lines.append(f'<tr><td>{_text(title)}</td>' + ''.join(f'<td>{_text(cell)}</td>' for cell in cells) + '</tr>')
    return f'<table><tr>{head}</tr>{"".join(lines)}</table>'


def _pictures(title, row, metric, out):
    """Plain | encrypted | recovered."""
    value = row['metrics'].get(metric)
    figure = f', {SHOWN[metric][0]} {SHOWN[metric][1].format(value)}' if value is not None else ''
    captions = {'plain': 'plain', 'encrypted': 'encrypted', 'recovered': f'recovered: {title}, {row["image"]}{figure}'}
    if row.get('labels'):
        read = ', '.join(f'{label} {share:.0%}' for label, share in row['labels'])
        captions['encrypted'] = f'encrypted, {row["image"]}; read as: {read}'
    cells = [
        f'<figure><img alt="{_text(captions[kind])}" src="{_data(Path(out) / name)}">'
        f'<figcaption>{_text(captions[kind])}</figcaption></figure>'
        for kind, name in row['pictures'].items()
    ]
    return f'<div class="row">{"".join(cells)}</div>'


def _data(file):
    return 'data:image/png;base64,' + base64.b64encode(Path(file).read_bytes()).decode()


def _not_run(not_run, failed):
    lines = [
        f'{row["setting"]}: {row["attack"]}, {row["runs"]} time{"s" * (row["runs"] != 1)}: {row["reason"]}'
        for row in not_run
    ]
    lines += [f'left out: {line}' for line in failed]
    if not lines:
        return '<h2>Not run</h2><p>Everything that was asked for ran.</p>'
    return '<h2>Not run</h2><ul>' + ''.join(f'<li>{_text(line)}</li>' for line in lines) + '</ul>'


def summary_table(report):
    """The figures as a Markdown table, one line a setting and attack."""
    head = (
        'setting, attack, right neighbours among the kept pieces, largest part, all kept pieces in place, '
        'right photo named, PSNR (encrypted), SSIM (encrypted)'
    )
    columns = [*head.split(', '), 's an image']
    lines = ['| ' + ' | '.join(columns) + ' |', '|---' * len(columns) + '|']
    for setting in report['settings']:
        for attack in setting['attacks']:
            if attack['status'] == 'not run':
                continue
            cells = [setting['name'], attack['name']]
            for metric in ('surviving', 'component', 'perfect', 'named'):
                cells.append(_cell(attack, metric, '{:.1%}'))
            for metric, form in (('psnr', '{:.1f}'), ('ssim', '{:.2f}')):
                floor = attack['floors'].get('encrypted', {}).get(metric)
                cells.append(_cell(attack, metric, form) + (f' ({form.format(floor)})' if floor is not None else ''))
            cells.append(f'{attack["seconds"]["mean"]:.2f}')
            lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def _cell(attack, metric, form):
    found = attack['metrics'].get(metric) or summary([])
    if not found['count']:
        return ''
    return f'{form.format(found["mean"])}, worst tenth {form.format(found["worst_decile"])}'
