"""The tables of figures in the documentation: the rows and columns of a json file that each shows."""

from __future__ import annotations

import re
import statistics
from typing import Any

from table_columns import (
    Column,
    Link,
    Table,
    best,
    between,
    by_seed,
    command,
    config,
    first_seed,
    fit,
    flat_speed,
    having,
    linked,
    looked,
    mean,
    models,
    of_set,
    pair,
    seed_of,
    strongest,
    tenth,
    zoo,
)
from table_frontier import FRONTIER

SETTING, ATTACK = Column('setting', 'setting'), Column('attack', 'attack')
SECONDS = Column('s an image', 'seconds', '{:.2f}')
NEIGHBOURS = tenth('right neighbours', 'surviving')
PUT_TOGETHER = (
    mean('ranked first', 'top1'),
    mean('direct', 'direct'),
    NEIGHBOURS,
    tenth('largest part', 'component'),
    tenth('whole', 'perfect'),
)
SEEN = (
    between('photo retrieved', 'photo'),
    between('class found', 'classes'),
    between('faces found', 'faces'),
    between('retrieved by layout', 'photo_layout'),
    tenth('PSNR (encrypted)', 'psnr', '{:.1f}', 'encrypted'),
    tenth('SSIM (encrypted)', 'ssim', '{:.2f}', 'encrypted'),
)
DRAWING = ('jigsaw', 'context', 'mixup-inverse')  # attacks that return a picture of their own
MAIN = ('RS p 16, gap 0', 'RS p 16, gap 2', 'MI p 16, grid 2', 'RS on MI p 16, grid 2, gap 0')
COMPARED = (
    Column('step', 'step'),
    Column('model', 'model'),
    Column('ms', 'ms', '{:.0f}'),
    Column('speed', 'speed', '{:.3f}'),
    Column('MiB', 'mebibytes', '{:.0f}'),
    Column('memory', 'memory', '{:.3f}'),
)
TIMED = tuple(
    Column(f'{title}, from {state}', f'{state}.{field}', form)
    for state in ('memory', 'cache')
    for title, field, form in (('us', 'us', '{:.0f}'), ('x copy', 'x_copy', '{:.2f}'), ('x ours', 'x_ours', '{:.2f}'))
)
DETECTION = tuple(Column(name, name, '{:.1f}') for name in ('AP', 'AP50', 'AP75', 'APs', 'APm'))
IMAGES, TIME = Column('images', 'images'), Column('time', 'time')
TOP1 = Column('top-1', lambda row: f'{row["seeds"][0]:.2f}')
LOG = Column('log', lambda row: Link('log', row['log']))
ZOO = (Column('row', lambda row: Link(row['name'], row['config'])), Column('protection', 'images'))
ZOO_MORE = (
    Column('several seeds', 'seeds'),
    Column('epochs', 'epochs'),
    Column('an attack gets back', 'back'),
    Column('time', 'time'),
    Column('weights', linked('weights')),
    Column('log', linked('log')),
)

PICTURED = (Column('setting', 'preset'), Column('pictures', 'pictures'))


def judged(metric: str) -> tuple[Column, ...]:
    """Return the columns of a metric of content.json: on the encrypted, the recovered and the true picture."""
    looks = {'encrypted': 'as it is', 'recovered': 'recovered', 'true places': 'true places'}
    return tuple(looked(title, look, metric) for look, title in looks.items())


def in_sets(*names: str) -> Any:
    """Select the rows of some sets of content.json, set by set."""
    return lambda rows: [row for name in names for row in rows if row['set'] == name]


TABLES = {
    **FRONTIER,
    'audit-scenes': Table(
        'audit', (SETTING, ATTACK, *PUT_TOGETHER, SECONDS), of_set('scenes', 'metrics.direct', attacks=DRAWING)
    ),
    'audit-sweep': Table('audit', (SETTING, *PUT_TOGETHER, SECONDS), of_set('sweep', 'metrics.direct')),
    'audit-gcompris': Table('audit', (SETTING, ATTACK, *PUT_TOGETHER, SECONDS), of_set('gcompris', 'metrics.top1')),
    'audit-448': Table('audit', (SETTING, ATTACK, *PUT_TOGETHER, SECONDS), of_set('scenes-448', 'metrics.top1')),
    'presets': Table(
        'audit',
        (
            Column('`--preset`', lambda row: f'`{row["name"]}`'),
            Column('setting', 'setting'),
            Column('neighbours put back', 'surviving'),
            Column('photo picked', 'photo'),
        ),
        strongest(
            {
                'RS p 16, gap 0': 'paper-rs',
                'MI p 16, grid 2': 'paper-mi',
                'RS p 16, gap 2, noise 16': 'light-v1',
                'RS p 8, gap 2': 'strong-v1',
                'RS on MI p 16, grid 2, gap 1': 'mixed-v1',
            },
            ('gcompris', 'noise-gcompris', 'small-gcompris'),
        ),
    ),
    'audit-noise': Table(
        'audit', (SETTING, ATTACK, *PUT_TOGETHER, *SEEN[:2]), of_set('noise-gcompris', 'metrics.top1')
    ),
    'audit-small': Table(
        'audit', (SETTING, ATTACK, *PUT_TOGETHER, *SEEN[:2]), of_set('small-gcompris', 'metrics.top1')
    ),
    'audit-tone': Table(
        'audit',
        (
            Column('photographs', lambda row: {'tone': 'the 14', 'tone-gcompris': "20 of GCompris'"}[row['set']]),
            SETTING,
            ATTACK,
            *PUT_TOGETHER,
            *SEEN[:2],
        ),
        lambda rows: of_set('tone', 'metrics.top1')(rows) + of_set('tone-gcompris', 'metrics.top1')(rows),
    ),
    'audit-textures': Table(
        'audit', (SETTING, ATTACK, *PUT_TOGETHER), of_set('textures', 'metrics.direct', attacks=DRAWING)
    ),
    'audit-views': Table('audit', (SETTING, ATTACK, *PUT_TOGETHER), of_set('views', 'metrics.direct')),
    'annotation-attack': Table('annotation_attack', (SETTING, ATTACK, NEIGHBOURS, tenth('largest part', 'component'))),
    'audit-seen': Table('audit', (SETTING, ATTACK, *SEEN), of_set('scenes', 'metrics.ssim', attacks=DRAWING)),
    'audit-seen-gcompris': Table(
        'audit', (SETTING, ATTACK, *SEEN), of_set('gcompris', 'metrics.ssim', attacks=DRAWING)
    ),
    'audit-search': Table(
        'audit',
        (
            SETTING,
            ATTACK,
            Column('value of the truth', 'search.truth', '{:.0f}'),
            Column('value found', 'search.found', '{:.0f}'),
            Column('found below the truth', 'search.below', '{:.0%}'),
        ),
        of_set('scenes', 'search.truth'),
    ),
    'audit-short': Table(
        'audit',
        (SETTING, ATTACK, NEIGHBOURS, tenth('largest part', 'component'), *SEEN[:2], SECONDS),
        of_set('scenes', 'metrics.ssim', settings=MAIN, attacks=DRAWING),
    ),
    'content-faces': Table(
        'content',
        (
            Column('pictures of', 'set'),
            *PICTURED,
            *judged('recognised'),
            looked('named, recovered', 'recovered', 'named'),
        ),
        in_sets('portraits', 'small-faces'),
    ),
    'content-texts': Table(
        'content',
        (Column('pages', 'set'), *PICTURED, *judged('characters'), looked('in single pieces', 'encrypted', 'pieces')),
        in_sets('letters-12', 'letters-24', 'letters-48', 'scans'),
    ),
    'content-classes': Table('content', (*PICTURED, *judged('classes')), in_sets('scenes')),
    'content-photos': Table('content', (*PICTURED, *judged('photo')), in_sets('scenes')),
    'content-kinds': Table(
        'content',
        (*PICTURED, looked('kind named', 'recovered', 'kind'), Column('most frequent kind', 'majority', '{:.0%}')),
        in_sets('bag'),
    ),
    'context-data': Table(
        'context_data',
        (
            Column('photographs', 'photographs'),
            Column('steps', 'steps'),
            Column('CPU minutes', 'minutes', '{:.1f}'),
            Column('ranked first before', 'first', '{:.3f}'),
            Column('ranked first', 'top1', '{:.3f}'),
        ),
    ),
    'context-curves': Table(
        'context_curves',
        (
            Column('checkpoint', 'setting'),
            Column('steps', 'step'),
            Column('CPU minutes', 'minutes'),
            Column('ranked first', 'top1', '{:.3f}'),
        ),
    ),
    'bag': Table(
        'bag',
        (
            SETTING,
            Column('one half to the other', 'halves', '{:.1%}'),
            Column('tenths of all', 'tenths', '{:.1%}'),
            Column('most frequent kind', 'majority', '{:.1%}'),
        ),
    ),
    'learned-mixup': Table(
        'learned_attacks',
        (SETTING, ATTACK, mean('PSNR', 'psnr'), mean('SSIM', 'ssim'), SECONDS),
        having('metrics.psnr'),
    ),
    'learned-labels': Table(
        'learned_attacks', (SETTING, ATTACK, mean('digits named', 'labels', '{:.1%}')), having('metrics.labels')
    ),
    'attack-speed': Table(
        'attack_speed', (Column('pieces', 'pieces'), Column('gap 0', 'gap 0'), Column('gap 2', 'gap 2')), flat_speed
    ),
    'attack-report-speed': Table(
        'attack_speed',
        (
            Column('default report', lambda row: f'{row["photos"]} photos, {row["repeats"]} permutations'),
            Column('seconds', 'seconds', '{:.0f}'),
            Column('memory at most', 'mebibytes', '{:.0f} MiB'),
        ),
        having('photos'),
    ),
    'transforms': Table('transforms', (Column('image', 'shape'), Column('job', 'job'), *TIMED)),
    'annotations': Table(
        'annotations',
        (
            Column('image', 'shape'),
            Column('what moves, 8 objects', 'job'),
            Column('us', 'us', '{:.0f}'),
            Column('share of decoding', 'share', '{:.2f}'),
        ),
    ),
    'batches': Table(
        'batches',
        (
            Column('batch of 16 x 224 x 224', 'name'),
            Column('ms', 'ms', '{:.1f}'),
            Column('kornia / this', 'kornia / this', '{:.1f}'),
        ),
    ),
    'loading': Table(
        'loading',
        (
            Column('pipeline', lambda row: f'{row["part"]}, {row["how"]}, {row["pipeline"]}'),
            Column('us an image', 'us', '{:.0f}'),
            Column('ratio', 'ratio', '{:.2f}'),
        ),
    ),
    'detectors': Table('detectors', COMPARED),
    'models': Table('models', COMPARED),
    'fits': Table(
        'fits',
        (
            Column(
                'model',
                lambda row: row['model'] if row['package'] == 'hii_mm' else f'{row["model"]} ({row["package"]})',
            ),
            fit('RS', 'shuffle'),
            fit('MI', 'mixup'),
            fit('RS on MI', 'both'),
            Column('order changes', 'change', '{:.1%}'),
        ),
    ),
    'handover-speed': Table(
        'handover_speed',
        (
            Column('job', 'job'),
            Column('photos of 1024 x 768', 'images'),
            Column('workers', 'workers'),
            Column('images/s', 'images_per_second', '{:.1f}'),
        ),
        having('job'),
    ),
    'manifest-memory': Table(
        'handover_speed',
        (
            Column('rows of the manifest', 'manifest_rows', '{:,}'),
            Column('peak memory', 'mebibytes', '{:.0f} MiB'),
        ),
        having('manifest_rows'),
    ),
    'scale': Table(
        'scale',
        (
            Column('pictures of 32 x 32', 'images', '{:,}'),
            Column('CPU time, to the first row', 'cpu_seconds_ratio', '{:.1f}'),
            Column('peak memory', 'mebibytes', '{:.0f} MiB'),
            Column('to the first row', 'mebibytes_ratio', '{:.1f}'),
            Column('start of --resume', 'resume_start_seconds', '{:.1f} s'),
            Column('of that, CPU', 'resume_start_cpu_seconds', '{:.1f} s'),
            Column('verify', 'verify_seconds', '{:.1f} s'),
        ),
        having('images'),
    ),
    'large-picture': Table(
        'scale',
        (
            Column('picture', 'pixels'),
            Column('file', 'file'),
            Column('--fit', 'fit'),
            Column('peak memory', 'mebibytes', '{:.0f} MiB'),
            Column('in decoded pictures', 'decoded', '{:.2f}'),
        ),
        having('pixels'),
    ),
    'demo': Table(
        'demo',
        (
            Column('result', 'result'),
            Column('value', 'value'),
        ),
    ),
    'pevit': Table('fashion_mnist', (config(), IMAGES, TOP1, TIME, command())),
    'pevit-seeds': Table(
        'fashion_mnist',
        (
            IMAGES,
            *(seed_of(number) for number in range(6)),
            Column('mean', lambda row: f'{statistics.mean(row["seeds"]):.2f}'),
            Column('deviation', lambda row: f'{statistics.stdev(row["seeds"]):.2f}'),
        ),
        models(several=True),
    ),
    'peyolos': Table(
        'fashion_det', (config(), IMAGES, *DETECTION, TIME, LOG, command('OMP_NUM_THREADS=1 ')), first_seed
    ),
    'peyolos-short': Table(
        'fashion_det',
        (config(), IMAGES, *DETECTION[:2], TIME),
        lambda rows: [row for row in first_seed(rows) if 'encrypted' not in row['config']],
    ),
    'peyolos-seeds': Table(
        'fashion_det',
        (
            IMAGES,
            Column('seed 0, AP / AP50', pair(0)),
            Column('seed 1, AP / AP50', pair(1)),
            Column('mean', pair(None)),
        ),
        by_seed,
    ),
    'yolos': Table(
        'fashion_det', (config(), *DETECTION, TIME, LOG, command('OMP_NUM_THREADS=1 ')), models('YOLOS-mini')
    ),
    'shuffled-det': Table(
        'shuffled_det',
        (config(), IMAGES, Column('seed', 'seed'), Column('classes an object', 'classes'), *DETECTION[:3]),
    ),
    'busy': Table(
        'busy',
        (
            Column('threads', 'threads'),
            Column('cores', 'cores'),
            Column('images/s', 'images_per_s', '{:,.0f}'),
            Column('time, of that on idle cores', 'slower', '{:.2f}'),
        ),
    ),
    'windows': Table(
        'windows',
        (
            Column('window', 'window', '{0} x {0} patches'),
            *(Column(f'perfect answers, plain frame, {name}', f'perfect_{name}', '{:.1f}') for name in ('AP', 'AP50')),
            *(Column(f'YOLOS-mini, encrypted frame, {name}', f'moved_{name}', '{:.1f}') for name in ('AP', 'AP50')),
        ),
    ),
    'zoo-classifiers': Table(
        'zoo', (*ZOO, Column('top-1', 'metrics.Top 1 Accuracy', '{:.2f}'), *ZOO_MORE), zoo('Fashion-MNIST', 'digits')
    ),
    'zoo-detectors': Table(
        'zoo',
        (*ZOO, *(Column(name, f'metrics.box {name}', '{:.1f}') for name in ('AP', 'AP50')), *ZOO_MORE),
        zoo('FashionDet'),
    ),
    'zoo-scenes': Table(
        'zoo', (*ZOO, Column('top-1', 'metrics.Top 1 Accuracy', '{:.2f}'), *ZOO_MORE), zoo('FashionScene')
    ),
    'zoo-attacks': Table(
        'zoo_attacks',
        (
            SETTING,
            ATTACK,
            NEIGHBOURS,
            between('named by layout', 'photo_layout'),
            tenth('PSNR (encrypted)', 'psnr', '{:.1f}', 'encrypted'),
            tenth('SSIM (encrypted)', 'ssim', '{:.2f}', 'encrypted'),
        ),
    ),
    'zoo-claim': Table(
        'audit',
        (SETTING, ATTACK, NEIGHBOURS, *SEEN[:1], SEEN[4], SECONDS),
        of_set('gcompris', settings=(MAIN[0], MAIN[2]), attacks=('identity', 'jigsaw', 'mixup-inverse')),
    ),
    'zoo-rpe': Table(
        'zoo',
        (*ZOO, Column('top-1', 'metrics.Top 1 Accuracy', '{:.2f}'), Column('here', 'status'), *ZOO_MORE[:2]),
        lambda rows: [row for row in rows if re.fullmatch(r'pevit-mini-p4(-rpe)?_\S+-20e_fashion-mnist', row['name'])],
    ),
    'reproduce': Table(
        'reproduce',
        (
            Column('config', 'config'),
            Column('parameters, M', 'parameters', '{:.0f}'),
            Column('GFLOPs a picture', 'gflops', '{:.1f}'),
            Column('hours', 'hours', '{:.0f}'),
            Column('GiB a GPU', 'gib', '{:.0f}'),
        ),
    ),
    'zoo-large': Table(
        'zoo',
        (*ZOO, Column('data', 'data'), Column('here', 'status'), Column("the paper's figure", 'paper')),
        zoo('ImageNet', 'COCO'),
    ),
    'zoo-short': Table(
        'zoo',
        (
            *ZOO,
            Column('data', 'data'),
            Column('top-1 or AP', best),
            ZOO_MORE[0],
            Column('comes back', 'back'),
            Column('weights', linked('weights')),
        ),
        lambda rows: [row for row in rows if row['status'] == 'measured'],
    ),
}
