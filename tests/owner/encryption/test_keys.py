"""The master key and its files: plain, and sealed by a passphrase."""

import errno
import hashlib
import hmac
import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hii_mm.files
from hii_mm.encryption import MasterKey, keyfile, read_key, read_passphrase, write_key, write_new_key
from hii_mm.errors import KeyFileError

RAW = bytes(range(32))
LOG_N = keyfile.SCRYPT_LOG_N


@pytest.fixture(autouse=True)
def little_memory(monkeypatch):
    """Seal keys with less work than usual."""
    monkeypatch.setattr(keyfile, 'SCRYPT_LOG_N', 14)


def write_private(path, content):
    """Write a file that only its owner can read."""
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def lines_of(*lines):
    """Return the content of a key file with a right checksum."""
    text = ''.join(f'{line}\n' for line in ('hii-mm key v1', *lines))
    return f'{text}sum {hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]}\n'.encode('utf-8', 'replace')


def test_key_files(tmp_path):
    path = tmp_path / 'key'
    old = os.umask(0)
    try:
        made = write_new_key(path)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path).fingerprint == made.fingerprint
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match='never overwritten'):
        write_new_key(path)
    assert path.read_bytes() == before
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(KeyFileError, match=f'has mode {mode:04o}'):
            read_key(path)
        assert read_key(path, insecure=True).fingerprint == made.fingerprint


def test_the_bytes_of_a_key_file_are_frozen(tmp_path):
    write_key(tmp_path / 'key', MasterKey(RAW))
    expected = b'hii-mm key v1\nkey 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\nsum 9c9227b0\n'
    assert (tmp_path / 'key').read_bytes() == expected == lines_of(f'key {RAW.hex()}')


@pytest.mark.parametrize('change', [lambda text: text.replace(b'\n', b'\r\n'), bytes.rstrip, lambda text: b'\n' + text])
def test_a_key_file_survives_other_line_ends(tmp_path, change):
    path = write_private(tmp_path / 'key', change(lines_of(f'key {RAW.hex()}')))
    assert read_key(path).reveal() == RAW


@pytest.mark.parametrize(
    'content, message',
    [
        (b'', 'it is empty; hii-mm keygen makes a key'),
        (RAW, "does not begin with 'hii-mm key v1'. hii-mm keygen makes a key"),
        (b'correct horse battery staple 123', 'words that you choose cannot be one, but hii-mm keygen --passphrase'),
        (b'0123456789abcdef' * 4, 'does not begin with'),
        (b'hii-mm key v1\n' * 1000, 'it has more than 4096 bytes'),
        (b'hii-mm key v2\nkey 00\n', "of a later version; this one reads 'hii-mm key v1'"),
        (b'hii-mm key backup v1\n1: 00\n', 'a backup on paper; hii-mm key import'),
    ],
)
def test_other_files_are_refused_with_what_to_do(tmp_path, content, message):
    path = write_private(tmp_path / 'key', content)
    with pytest.raises(KeyFileError, match='is not a key file: ') as error:
        read_key(path)
    assert message in str(error.value)
    assert not content or content[:30].decode('latin-1') not in str(error.value)


@pytest.mark.parametrize('cut', [14, 50, 83, 90])
def test_a_truncated_key_file_is_damaged(tmp_path, cut):
    path = write_private(tmp_path / 'key', lines_of(f'key {RAW.hex()}')[:cut])
    with pytest.raises(KeyFileError, match='is damaged: its checksum is wrong; use your backup') as error:
        read_key(path)
    assert RAW.hex() not in str(error.value)


def test_every_changed_letter_is_found(tmp_path):
    content = lines_of(f'key {RAW.hex()}')
    for where in range(len(content) - 1):
        for other in b'0f':
            changed = content[:where] + bytes([other]) + content[where + 1 :]
            path = write_private(tmp_path / 'key', changed)
            if changed != content:
                with pytest.raises(KeyFileError):
                    read_key(path)


@pytest.mark.parametrize('lines', [['key 00'], ['key ' + 'g' * 64], [f'key {RAW.hex()}', 'more'], ['scrypt 17 00']])
def test_values_that_are_not_accepted(tmp_path, lines):
    with pytest.raises(KeyFileError, match='holds values that this version does not accept'):
        read_key(write_private(tmp_path / 'key', lines_of(*lines)))


def test_files_that_cannot_be_read(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for wrong, message in (('none', 'No such file'), ('.', 'not a regular file'), ('pipe', 'not a regular file')):
        with pytest.raises(KeyFileError, match=f'cannot be read: {message}'):
            read_key(tmp_path / wrong)


@pytest.mark.parametrize('call', ['fsync', 'link'])
def test_a_full_disk_leaves_no_key_file(tmp_path, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(hii_mm.files.os, call, full)
    with pytest.raises(KeyFileError, match="key file '.*/key' cannot be written: No space left on device"):
        write_new_key(tmp_path / 'key')
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='Linux only')
def test_a_key_is_not_overwritten_on_file_systems_without_links(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(hii_mm.files.os, 'link', unsupported)
    key = write_new_key(tmp_path / 'key')
    with pytest.raises(KeyFileError, match='never overwritten'):
        write_new_key(tmp_path / 'key')
    assert read_key(tmp_path / 'key').fingerprint == key.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ['key']


def test_file_and_folder_are_flushed(tmp_path, monkeypatch):
    flushed = []
    real = os.fsync
    monkeypatch.setattr(
        os, 'fsync', lambda handle: (flushed.append(os.readlink(f'/proc/self/fd/{handle}')), real(handle))
    )
    write_new_key(tmp_path / 'key')
    assert len(flushed) == 2
    assert flushed[0].startswith(f'{tmp_path}/.key.')
    assert flushed[1] == str(tmp_path)


def test_a_key_only_shows_its_fingerprint():
    key = MasterKey(RAW)
    shown = f'{key} {key!r} {[key]}'
    assert key.fingerprint in shown
    assert RAW.hex() not in shown
    assert repr(RAW) not in shown
    assert pickle.loads(pickle.dumps(key)).fingerprint == key.fingerprint  # spawned workers need it


@pytest.mark.parametrize('raw', [b'', bytes(31), bytes(33), '0' * 32])
def test_keys_have_32_bytes(raw):
    with pytest.raises(KeyFileError, match='a master key has 32 bytes'):
        MasterKey(raw)


def test_a_passphrase_seals_a_key(tmp_path):
    key = write_new_key(tmp_path / 'key', passphrase='cafe\u0301 and four words')
    content = (tmp_path / 'key').read_bytes()
    assert key.reveal() not in content
    assert key.reveal().hex().encode() not in content
    asked = []
    found = read_key(
        tmp_path / 'key', passphrase=lambda: asked.append(1) or 'caf\u00e9 and four words'
    )  # NFC is the same
    assert found.reveal() == key.reveal()
    assert asked == [1]
    with pytest.raises(KeyFileError, match='the passphrase is wrong'):
        read_key(tmp_path / 'key', passphrase='something else')
    with pytest.raises(KeyFileError, match=r'protected by a passphrase: .*--passphrase-file.*HII_MM_PASSPHRASE_FILE'):
        read_key(tmp_path / 'key')
    write_key(tmp_path / 'again', key, 'cafe\u0301 and four words')
    assert (tmp_path / 'again').read_bytes() != content  # another salt


def test_a_plain_key_does_not_ask(tmp_path):
    write_new_key(tmp_path / 'key')
    assert read_key(tmp_path / 'key', passphrase=lambda: pytest.fail('asked')).fingerprint


def test_a_sealed_key_by_the_standard_library(tmp_path, monkeypatch):
    """The stream of ChaCha20 with the key of scrypt, from the document alone, without the tag."""
    monkeypatch.setattr(keyfile, 'SCRYPT_LOG_N', LOG_N)
    write_key(tmp_path / 'key', MasterKey(RAW), 'five words')
    header, about, sealed, _ = (tmp_path / 'key').read_text().splitlines()
    kind, log_n, salt = about.split()
    assert (header, kind, log_n) == ('hii-mm key v1', 'scrypt', '17')
    derived = hashlib.scrypt(b'five words', salt=bytes.fromhex(salt), n=2**17, r=8, p=1, dklen=32, maxmem=2**28)
    box = bytes.fromhex(sealed.removeprefix('sealed '))
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    nonce = (1).to_bytes(4, 'little') + bytes(12)  # block 0 is the key of the tag
    assert Cipher(algorithms.ChaCha20(derived, nonce), None).decryptor().update(box[:32]) == RAW


@pytest.mark.parametrize('log_n', [0, 1, 13, 19, 63, 999])
def test_a_hostile_file_cannot_take_all_memory(tmp_path, log_n):
    path = write_private(tmp_path / 'key', lines_of(f'scrypt {log_n} {"0" * 32}', f'sealed {"0" * 96}'))
    with pytest.raises(KeyFileError, match='holds values that this version does not accept'):
        read_key(path, passphrase='five words')


def test_parameters_of_a_sealed_key_are_authenticated(tmp_path):
    write_key(tmp_path / 'key', MasterKey(RAW), 'five words')
    _, about, sealed, _ = (tmp_path / 'key').read_text().splitlines()
    swapped = sealed[:-1] + ('0' if sealed[-1] != '0' else '1')
    for lines in ([about, swapped], [about.replace('14', '15'), sealed]):
        with pytest.raises(KeyFileError, match='the passphrase is wrong'):
            read_key(write_private(tmp_path / 'other', lines_of(*lines)), passphrase='five words')


def test_an_empty_passphrase_is_refused(tmp_path):
    with pytest.raises(KeyFileError, match='the passphrase is empty'):
        write_new_key(tmp_path / 'key', passphrase='')
    assert not (tmp_path / 'key').exists()


def test_files_of_passphrases(tmp_path):
    path = write_private(tmp_path / 'words', ' a \u00e9 \r\nmore\n'.encode())
    assert read_passphrase(path) == ' a \u00e9 '
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match='passphrase file .* has mode 0644'):
        read_passphrase(path)
    assert read_passphrase(path, insecure=True)
    with pytest.raises(KeyFileError, match='cannot be read: No such file'):
        read_passphrase(tmp_path / 'none')
    with pytest.raises(KeyFileError, match='is not UTF-8'):
        read_passphrase(write_private(tmp_path / 'bytes', b'\xff'))


def test_bytes_are_derived_by_hkdf():
    extracted = hmac.digest(bytes(32), RAW, 'sha256')
    info = b'\0\0\0\x04what\0\0\0\x02ab\0\0\0\0'
    assert MasterKey(RAW).derive('what', b'ab', b'', length=20) == hmac.digest(extracted, info + b'\1', 'sha256')[:20]


@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: lines_of(*text.split('|')))))
def test_any_other_content_is_a_message(tmp_path_factory, content):
    path = write_private(tmp_path_factory.getbasetemp() / 'any', content)
    with pytest.raises(KeyFileError):
        read_key(path, passphrase='five words')
