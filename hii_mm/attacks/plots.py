"""PNG plots of a report, with matplotlib."""

from pathlib import Path

LABELS = {
    'surviving': 'right neighbours among the kept pieces',
    'component': 'largest part',
    'ssim': 'SSIM',
    'named': 'right photo named',
}


def _figure(width, height):
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout='constrained')
    return figure, figure.add_subplot()


def bars(report, path):
    """One bar an attack and setting: its main share with the bootstrap interval; returns the path or None."""
    found = []
    for setting in report['settings']:
        for attack in setting['attacks']:
            for metric in ('named', 'surviving', 'ssim'):
                values = attack.get('metrics', {}).get(metric, {})
                if values.get('count'):
                    found.append((f'{setting["name"]}: {attack["name"]} ({LABELS[metric]})', values))
                    break
    if not found:
        return None
    figure, axes = _figure(11, 1 + 0.35 * len(found))
    means = [values['mean'] for _, values in found]
    errors = [[v['mean'] - v['low'] for _, v in found], [v['high'] - v['mean'] for _, v in found]]
    axes.barh(range(len(found)), means, xerr=errors, color='#6b8fb3', ecolor='#333333')
    axes.set_yticks(range(len(found)), [label for label, _ in found])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02)
    axes.set_xlabel('share recovered, mean and 95 % interval')
    figure.savefig(path, dpi=110)
    return Path(path)


def curves(points, name, path):
    """Success against one parameter of a sweep.

    Args:
        points: [(value, {metric: mean})], for one attack.
        name: of the parameter.
        path: of the PNG.
    """
    figure, axes = _figure(6, 3.6)
    for metric, label in LABELS.items():
        line = [(str(value), found[metric]) for value, found in points if found.get(metric) is not None]
        if line:
            axes.plot(*zip(*line), marker='o', label=label)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(name)
    axes.set_ylabel('recovered')
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
    return Path(path)
