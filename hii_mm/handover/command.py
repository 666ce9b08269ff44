"""``hii-mm keygen``, ``key``, ``encrypt``, ``verify``, ``decrypt`` and ``manifest``."""

import os
import sys

from .. import preview
from ..encryption.keyed import KeyFileError, read_key, write_new_key
from .decrypt import CannotUndo, decrypt
from .encrypt import Request, cpu_count, encrypt
from .finish import finish
from .journal import Refused
from .manifest import ManifestError
from .names import copy_around, shown
from .settings import FITS, Settings, parse_size
from .verify import verify

KEY_VARIABLE = 'HII_MM_KEY_FILE'
NAMES_SUFFIX = '.names.jsonl'  # the map of pseudonyms lies beside the key
REJECTED = 3


def add_commands(commands):
    """Add all of them to the sub-commands."""
    _add_keys(commands)
    _add_encrypt(commands)
    _add_readers(commands)


def _add_keys(commands):
    parser = commands.add_parser(
        'keygen', help='make a key', description='Write 32 random bytes to a new file, mode 0600.'
    )
    parser.add_argument('keyfile', metavar='KEYFILE')
    parser.set_defaults(run=_guarded(keygen))
    parser = commands.add_parser('key', help='say which key a file holds')
    kinds = parser.add_subparsers(dest='kind', required=True, metavar='COMMAND')
    parser = kinds.add_parser('fingerprint', help='the name of a key, which says nothing about it')
    parser.add_argument('keyfile', metavar='KEYFILE')
    _add_insecure(parser)
    parser.set_defaults(run=_guarded(fingerprint))


def _add_insecure(parser):
    parser.add_argument('--insecure-key-permissions', action='store_true', help='take a key file that others can read')


def _add_key(parser):
    parser.add_argument('--key', metavar='KEYFILE', help=f'the key file (default: what ${KEY_VARIABLE} names)')
    _add_insecure(parser)


def _add_workers(parser):
    parser.add_argument('--workers', type=int, default=cpu_count(), metavar='N', help='processes (one a core)')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')


def _add_encrypt(commands):
    parser = commands.add_parser(
        'encrypt',
        help='write an encrypted copy of a data set',
        description='Write an encrypted copy of the image folder SRC, or of SRC with COCO json files, to DST. '
        'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done, but some files were rejected.',
    )
    parser.add_argument('src', metavar='SRC')
    parser.add_argument('dst', metavar='DST')
    _add_key(parser)
    preview.add_parameters(parser)
    parser.add_argument('--size', type=_size, metavar='WxH|short:N', help='bring every image to this size first')
    parser.add_argument('--fit', choices=FITS, help='how it comes to the size, or to whole patches (crop with --size)')
    parser.add_argument('--format', default='png', choices=['png', 'webp', 'jpeg', 'shards'], help='(png)')
    parser.add_argument('--shard-size', type=int, default=1000, metavar='N', help='shards: files a tar file (1000)')
    parser.add_argument(
        '--ann', action='append', default=[], metavar='FILE[=FOLDER]',
        help='COCO json; its file names are below SRC, or below SRC/FOLDER; may be given several times',
    )  # fmt: skip
    parser.add_argument('--rename', action='store_true', help=f'keyed pseudonyms for names; map: KEYFILE{NAMES_SUFFIX}')
    parser.add_argument('--resume', action='store_true', help='go on with a run that was stopped')
    parser.add_argument(
        '--shard', type=_part, metavar='I/N',
        help='do part I of N, from 1; also from RANK and WORLD_SIZE, or from Slurm. Then: hii-mm manifest merge DST',
    )  # fmt: skip
    _add_workers(parser)
    parser.set_defaults(run=_guarded(run_encrypt))


def _add_readers(commands):
    parser = commands.add_parser(
        'verify',
        help='check an encrypted copy',
        description='Without a key: files, sums and sizes. With it: the HMAC too. With --against: encrypt SRC '
        'again and compare. Exit codes: 0 sound, 1 damaged or changed, 2 wrong usage.',
    )
    parser.add_argument('dst', metavar='DST')
    _add_key(parser)
    parser.add_argument('--against', metavar='SRC', help='what it was made from; needs --key')
    _add_workers(parser)
    parser.set_defaults(run=_guarded(run_verify))
    parser = commands.add_parser(
        'decrypt', help='give a shuffled copy its pixels back', description='As PNG files in OUT.'
    )
    parser.add_argument('dst', metavar='DST')
    parser.add_argument('out', metavar='OUT')
    _add_key(parser)
    _add_workers(parser)
    parser.set_defaults(run=_guarded(run_decrypt))
    parser = commands.add_parser('manifest', help='close a copy that was made in parts')
    kinds = parser.add_subparsers(dest='kind', required=True, metavar='COMMAND')
    parser = kinds.add_parser('merge', help='write the manifest of a copy of which all parts are done')
    parser.add_argument('dst', metavar='DST')
    _add_key(parser)
    parser.set_defaults(run=_guarded(run_merge))


def _size(text):
    from argparse import ArgumentTypeError

    try:
        return parse_size(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _part(text):
    """'1/3' -> (0, 3)."""
    from argparse import ArgumentTypeError

    i, _, n = text.partition('/')
    if not (i.isdecimal() and n.isdecimal() and 1 <= int(i) <= int(n)):
        raise ArgumentTypeError(f'must be I/N with I from 1 to N, got {text!r}')
    return int(i) - 1, int(n)


def part_of(environ):
    """(rank, world) from the environment of torchrun, Slurm or a Slurm array; (0, 1) without.

    Raises:
        UsageError: values that are no part.
    """
    pairs = (
        ('RANK', 'WORLD_SIZE', 0),
        ('SLURM_ARRAY_TASK_ID', 'SLURM_ARRAY_TASK_COUNT', environ.get('SLURM_ARRAY_TASK_MIN', 0)),
        ('SLURM_PROCID', 'SLURM_NTASKS', 0),
    )
    for rank, world, first in pairs:
        if rank in environ and world in environ:
            try:
                found = int(environ[rank]) - int(first), int(environ[world])
            except ValueError:
                found = -1, 0
            if not 0 <= found[0] < found[1]:
                raise UsageError(f'{rank}={environ[rank]} of {world}={environ[world]} is no part; say --shard I/N')
            return found
    return 0, 1


class UsageError(ValueError):
    """Arguments that do not go together."""


def _guarded(run):
    """``run``, with errors as one line on stderr and as exit code."""

    def guarded(args):
        try:
            return run(args)
        except KeyboardInterrupt:
            print('\nhii-mm: stopped' + STOPPED.get(run, ''), file=sys.stderr)
            return 130
        except Refused as error:
            code, text = error.code, error
        except (UsageError, KeyFileError, CannotUndo) as error:
            code, text = 2, error
        except (ManifestError, OSError) as error:
            code, text = 1, error
        print(f'hii-mm {args.command}: {text}', file=sys.stderr)
        return code

    return guarded


def _key(args):
    """(MasterKey, path of its file).

    Raises:
        UsageError, KeyFileError: none is named, or it is not to be used.
    """
    path = args.key or os.environ.get(KEY_VARIABLE)
    if not path:
        raise UsageError(f'no key: say --key KEYFILE, or name it in ${KEY_VARIABLE}; hii-mm keygen makes one')
    path, named = os.path.realpath(path), path
    around = copy_around(path)
    if around:
        raise UsageError(f'the key {named!r} lies in the copy {around!r}, which is handed over; keep it elsewhere')
    return read_key(path, args.insecure_key_permissions), path


def _workers(args):
    if args.workers < 1:
        raise UsageError(f'--workers must be from 1 on, got {args.workers}')
    return args.workers


def _progress(args, what):
    """A progress bar for :class:`Request`, or None."""
    if args.quiet:
        return None
    from tqdm import tqdm

    return lambda found, total, done: tqdm(found, what, total, initial=done, unit=' images', smoothing=0.05)


def keygen(args):
    """Write a new key."""
    around = copy_around(args.keyfile)
    if around:
        raise UsageError(
            f'{args.keyfile!r} would lie in the copy {around!r}, which is handed over; give another folder'
        )
    key = write_new_key(args.keyfile)
    print(f'{args.keyfile}: new key {key.fingerprint}. Keep it: without it nothing can be undone or proven.')
    return 0


def fingerprint(args):
    """Say a key's fingerprint."""
    print(read_key(args.keyfile, args.insecure_key_permissions).fingerprint)
    return 0


def run_encrypt(args):
    """Encrypt, and say what became of it."""
    key, path = _key(args)
    names = ('strategy', 'patch_size', 'gap', 'drop_ratio', 'orient', 'window', 'grid')
    names += ('size', 'fit', 'format', 'rename', 'shard_size')
    try:
        settings = Settings(**{name: getattr(args, name) for name in names})
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None
    for what, folder in (('SRC', args.src), ('DST', args.dst)):
        if _within(path, folder):
            raise UsageError(f'the key {path!r} lies in {what} {folder!r}; keep it elsewhere')
    rank, world = args.shard or part_of(os.environ)
    outcome = encrypt(
        Request(
            args.src, args.dst, key, settings, args.ann, path + NAMES_SUFFIX, rank, world, args.resume,
            _workers(args), _progress(args, 'encrypt'),
        )
    )  # fmt: skip
    if settings.format == 'jpeg':
        print('hii-mm encrypt: jpeg rounds every pixel: the copy cannot be decrypted bit for bit', file=sys.stderr)
    for name, why in outcome.rejects:
        print(f'rejected: {shown(name)}: {why}', file=sys.stderr)
    for what, count in sorted(outcome.dropped.items()):
        if count:
            print(f'left out: {what}: {count}')
    part = f'part {rank + 1} of {world}, ' if world > 1 else ''
    print(f'{args.dst}: {part}{outcome.images} images encrypted, {len(outcome.rejects)} files rejected')
    if not outcome.images:
        print('hii-mm encrypt: no image was encrypted; the reasons stand above', file=sys.stderr)
    if not outcome.closed:
        print(f'when all {world} parts are done: hii-mm manifest merge {args.dst} --key KEYFILE')
    return REJECTED if outcome.rejects else 0


def _within(path, folder):
    folder = os.path.realpath(folder)
    return os.path.commonpath([folder, os.path.realpath(path)]) == folder


def run_verify(args):
    """Check, and name each failure."""
    named = args.key or os.environ.get(KEY_VARIABLE)
    if args.against and not named:
        raise UsageError(f'--against needs --key (or ${KEY_VARIABLE}): the source is encrypted again')
    key = _key(args)[0] if named else None
    if args.against and not os.path.isdir(args.against):
        raise UsageError(f'--against {args.against!r} is no folder')
    found = 0
    for name, wrong in verify(args.dst, key, args.against, _workers(args), _progress(args, 'verify')):
        found += 1
        print(f'{shown(name)}: {wrong}')
    if found:
        print(f'{args.dst}: {found} problems')
        return 1
    checked = 'files and sums are' + (
        ' as the key signed them' if key else ' sound; without --key nobody can say who made them'
    )
    print(f'{args.dst}: {checked}' + ('; encrypting the pictures of SRC again gives the same' if args.against else ''))
    return 0


def run_decrypt(args):
    """Decrypt, and say what is lost."""
    key, path = _key(args)
    done, lost, wrong = 0, 0.0, []
    results = decrypt(args.dst, args.out, key, path + NAMES_SUFFIX, _workers(args), _progress(args, 'decrypt'))
    for name, share, problem in results:
        if problem:
            wrong.append((name, problem))
        else:
            done, lost = done + 1, lost + share
    for name, problem in wrong:
        print(f'{shown(name)}: {problem}', file=sys.stderr)
    print(f'{args.out}: {done} images decrypted, {len(wrong)} not')
    if lost:
        print(f'{lost / done:.1%} of the pixels were thrown away by gap, drop or crop; they are black')
    return 1 if wrong else 0


def run_merge(args):
    """Close a copy made in parts."""
    counts = finish(os.path.realpath(args.dst), _key(args)[0])
    print(f'{args.dst}: closed; {counts["images"]} images, {counts["rejected"]} files rejected')
    return REJECTED if counts['rejected'] else 0


STOPPED = {run_encrypt: '; go on with --resume', run_decrypt: '; OUT holds a part: remove it before you start again'}
