"""Decrypt a copy with the standard library alone, as docs/reference/format.md describes it; hii_mm is not used.

    python decrypt_by_the_format.py KEYFILE COPY OUT [PASSPHRASE]

Writes the samples of each image to OUT/ID.raw, line by line as PNG orders them.
"""

import hashlib
import hmac
import itertools
import json
import struct
import sys
import tarfile
import zlib
from pathlib import Path


def hkdf(key, purpose, *fields, length=32):
    info = b''.join(struct.pack('>I', len(field)) + field for field in (purpose, *fields))
    return hmac.digest(hmac.digest(bytes(32), key, 'sha256'), info + b'\1', 'sha256')[:length]


def chacha20_words(key, counter=0):
    def quarter(s, a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            s[z] ^= s[x]
            s[z] = (s[z] << turn | s[z] >> 32 - turn) & 0xFFFFFFFF

    for block in itertools.count(counter):
        start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack('<8I', key), block, 0, 0, 0]
        s = start.copy()
        for i in [0, 1, 2, 3, 4, 5, 6, 7] * 10:
            quarter(s, i % 4, *(4 * row + (i % 4 + row * (i > 3)) % 4 for row in (1, 2, 3)))
        yield from ((x + y) & 0xFFFFFFFF for x, y in zip(s, start))


def read_key(path, passphrase):
    _, second, *third, _ = path.read_text().splitlines()
    if second.startswith('key '):
        return bytes.fromhex(second[4:])
    _, log_n, salt = second.split()
    key = hashlib.scrypt(
        passphrase.encode(), salt=bytes.fromhex(salt), n=2 ** int(log_n), r=8, p=1, dklen=32, maxmem=2**29
    )
    stream = struct.pack('<8I', *itertools.islice(chacha20_words(key, 1), 8))
    return bytes(a ^ b for a, b in zip(bytes.fromhex(third[0][7:]), stream))


def below(words, bound):
    return next(word for word in words if word < 2**32 - 2**32 % bound) % bound


def draw(words, total, kept):
    while True:
        order = list(range(total))
        for last in range(total - 1, 0, -1):
            other = below(words, last + 1)
            order[last], order[other] = order[other], order[last]
        if kept < 2 or order[:kept] != sorted(order[:kept]):
            return order[:kept]


def plan(words, p, rows, cols):
    """Return the kept rectangle, and of each place the plain patch, its turn, and its tone or None."""
    kept = rows, cols
    if p['drop_ratio']:
        most = int(rows * cols * (1 - p['drop_ratio']) + 1e-9)
        shapes = [(r, min(cols, most // r)) for r in range(1, min(rows, most) + 1)]
        kept = max(shapes, key=lambda s: (s[0] * s[1], -abs(s[0] * cols - s[1] * rows), s[1]))
    places = kept[0] * kept[1]
    if p['window'] is None:
        order = draw(words, rows * cols, places)
    else:
        order = [0] * places
        for top, left in itertools.product(*(range(0, side, p['window']) for side in kept)):
            ranges = (range(start, min(start + p['window'], side)) for start, side in zip((top, left), kept))
            block = [y * kept[1] + x for y, x in itertools.product(*ranges)]
            for place, source in zip(block, draw(words, len(block), len(block))):
                order[place] = block[source]
        if places < rows * cols:
            patches = sorted(draw(words, rows * cols, places))
            order = [patches[source] for source in order]
    codes = 8 if p['patch_size'][0] == p['patch_size'][1] else 4
    turns = [8 // codes * below(words, codes) if p['orient'] else 0 for _ in order]
    if not p.get('tone'):
        return kept, order, turns, [None] * places
    orders, bits = [below(words, 6) for _ in order], [below(words, 16) for _ in order]
    levels = [[next(words) for _ in range(4)] for _ in order]
    return kept, order, turns, list(zip(orders, bits, levels))


def without_tone(core, tone, size):
    """Undo the tone of a core, lines of pixels whose samples have ``size`` bytes."""
    order, bits, levels = tone
    height, width, channels = len(core), len(core[0]), len(core[0][0]) // size
    most, found = 256**size - 1, [None] * channels
    colours = sorted(itertools.permutations(range(3)))[order]
    for channel in range(channels):
        at = channel * size
        samples = [int.from_bytes(pixel[at : at + size], 'big') for line in core for pixel in line]
        least, greatest = min(samples), max(samples)
        room = most + 1 - (greatest - least)
        plain = (least - (levels[channel] * room >> 32)) % room
        inverted = bits >> channel & 1
        samples = [plain + (greatest - sample if inverted else sample - least) for sample in samples]
        source = colours[channel] if channels > 2 and channel < 3 else channel
        found[source] = [sample.to_bytes(size, 'big') for sample in samples]
    pixels = [b''.join(samples) for samples in zip(*found)]
    return [pixels[y * width : (y + 1) * width] for y in range(height)]


def without_noise(lines, deviation, words, size):
    """Undo the noise of an image, lines of pixels whose samples have ``size`` bytes."""
    noise = chacha20_words(struct.pack('<8I', *words))
    most, found = 256**size - 1, []
    for line in lines:
        found.append([])
        for pixel in line:
            samples = [int.from_bytes(pixel[at : at + size], 'big') for at in range(0, len(pixel), size)]
            own = [next(noise) for _ in range(4)]
            for channel, sample in enumerate(samples):
                total = sum(struct.pack('<I', own[channel])) - 510
                moved = (total * 443 * deviation * (1, 257)[size - 1] + 32768) >> 16
                samples[channel] = min(max(sample - moved, 0), most)
            found[-1].append(b''.join(sample.to_bytes(size, 'big') for sample in samples))
    return found


def read_png(data):
    """Return the lines of a PNG file, each a list of pixels, and the bytes of a pixel and of a sample."""
    at, packed = 8, b''
    while at < len(data):
        (size,), kind = struct.unpack('>I', data[at : at + 4]), data[at + 4 : at + 8]
        body, at = data[at + 8 : at + 8 + size], at + size + 12
        if kind == b'IHDR':
            width, _, depth, colour = struct.unpack('>IIBB', body[:10])
        packed += body if kind == b'IDAT' else b''
    step = {0: 1, 2: 3, 4: 2, 6: 4}[colour] * depth // 8
    raw, above, lines = zlib.decompress(packed), bytes(width * step), []
    for start in range(0, len(raw), width * step + 1):
        line = bytearray(raw[start + 1 : start + 1 + width * step])
        for i in range(len(line)):
            a, b, c = line[i - step] if i >= step else 0, above[i], above[i - step] if i >= step else 0
            paeth = min((a, b, c), key=lambda value: abs(a + b - c - value))
            line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth)[raw[start]]) % 256
        above = line
        lines.append([bytes(line[i : i + step]) for i in range(0, len(line), step)])
    return lines, step, depth // 8


def decrypt(data, key, dataset, p, image_id, plain_hw):
    """Return the plain samples of an encrypted PNG file; those that are lost are 0."""
    (h, w), (ph, pw), gap = plain_hw, p['patch_size'], p['gap']
    remainder = 'error' if isinstance(p['size'], list) or p['fit'] in (None, 'resize') else p['fit']
    rows, cols = (-(-h // ph), -(-w // pw)) if remainder == 'pad' else (h // ph, w // pw)
    fields = {name: p[name] for name in ('patch_size', 'gap', 'drop_ratio', 'orient', 'window')}
    fields |= {'strategy': 'shuffle', 'remainder': remainder, 'shape': plain_hw}
    fields |= {name: p[name] for name in ('tone', 'noise') if name in p}
    canonical = json.dumps(fields, sort_keys=True, separators=(',', ':')).encode()
    stream = chacha20_words(
        hkdf(key, b'hii-mm plan v2', dataset, canonical, image_id.encode('utf-8', 'surrogateescape'))
    )
    kept, order, turns, tones = plan(stream, p, rows, cols)
    encrypted, step, size = read_png(data)
    plain = [[bytes(step)] * max(w, cols * pw) for _ in range(max(h, rows * ph))]
    ch, cw = ph - 2 * gap, pw - 2 * gap
    corners = [(place // kept[1] * ch, place % kept[1] * cw) for place in range(len(order))]
    for (y, x), tone in zip(corners, tones):
        core = [line[x : x + cw] for line in encrypted[y : y + ch]]
        core = core if tone is None else without_tone(core, tone, size)
        for line, pixels in zip(encrypted[y : y + ch], core):
            line[x : x + cw] = pixels
    if p.get('noise'):
        encrypted = without_noise(encrypted, p['noise'], list(itertools.islice(stream, 8)), size)
    for (y, x), patch, code in zip(corners, order, turns):
        core = [line[x : x + cw] for line in encrypted[y : y + ch]]
        core = [line[::-1] for line in core] if code >= 4 else core
        for _ in range(code % 4):  # a quarter turn clockwise
            core = [list(line) for line in zip(*core[::-1])]
        top, left = patch // cols * ph + gap, patch % cols * pw + gap
        for y in range(ch):
            plain[top + y][left : left + cw] = core[y]
    return b''.join(b''.join(line[:w]) for line in plain[:h])


def main(keyfile, copy, out, passphrase=''):
    key, text = read_key(Path(keyfile), passphrase), (Path(copy) / 'manifest.json').read_bytes()
    manifest, signed = json.loads(text), text[: text.rindex(b'"sha256": ')]
    p, dataset = manifest['parameters'], bytes.fromhex(manifest['dataset_id'])
    assert (manifest['schema'], manifest['version'], manifest['plan_version']) == ('hii-mm manifest', 2, 2)
    assert manifest['key_fingerprint'] == hkdf(key, b'hii-mm fingerprint v1', length=8).hex()
    assert hmac.compare_digest(manifest['hmac'], hmac.digest(hkdf(key, b'hii-mm manifest v1'), signed, 'sha256').hex())
    renamed = {}
    if p['rename']:
        rows = map(json.loads, Path(f'{keyfile}.names.jsonl').read_text().splitlines())
        renamed = {row['name']: row['file'].rpartition('.')[0] for row in rows}
    for row in manifest['images']:
        if 'shard' in row:
            with tarfile.open(Path(copy) / row['shard']) as tar:
                data = tar.extractfile(row['name']).read()
        else:
            data = (Path(copy) / row['name']).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row['sha256']
        folder, _, stem = row['name'].rpartition('.')[0].rpartition('/')
        image_id = f'{folder}/{stem}' if folder else stem
        if p['rename']:
            image_id = renamed[stem]
            name = hkdf(key, b'hii-mm file name v2', dataset, image_id.encode('utf-8', 'surrogateescape'), length=16)
            assert name.hex() == stem
        elif p['format'] == 'shards':
            image_id = f'{folder}/' * bool(folder) + stem.replace('%2E', '.').replace('%25', '%')
        plain = Path(out) / f'{image_id}.raw'
        plain.parent.mkdir(parents=True, exist_ok=True)
        plain.write_bytes(decrypt(data, key, dataset, p, image_id, row['plain_hw']))


if __name__ == '__main__':
    main(*sys.argv[1:])
