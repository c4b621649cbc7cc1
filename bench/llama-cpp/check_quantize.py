"""Quantises an F32 file of `kto export-gguf` with llama.cpp's own quantiser, and compares the other files of the same export with what it makes, byte for byte.

    (cd bench/llama-cpp && npm install)
    kto export-gguf --model MODEL --out gguf --type F32 Q4_K_M IQ4_XS
    python bench/llama-cpp/check_quantize.py gguf/*-F32.gguf gguf/*.gguf
    kto imatrix --model MODEL --data TEXT --out imatrix.gguf
    kto export-gguf --model MODEL --out weighed --type Q4_K_M IQ4_XS --imatrix imatrix.gguf
    python bench/llama-cpp/check_quantize.py gguf/*-F32.gguf weighed/*.gguf --imatrix imatrix.gguf

With an importance matrix the tensors are compared, their types, places and bytes: our files also say where the matrix is from. Python's own library is enough. Linux x64, where
llama.cpp is built without fused products and sums, which change the bytes of k-quants.
"""

import argparse
import ctypes
import os
import struct
import sys
import tempfile
from array import array
from pathlib import Path

LIBRARIES = Path(__file__).parent / "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY, ERROR = 8, 9, 4


class ImatrixData(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.POINTER(ctypes.c_float)), ("size", ctypes.c_size_t)]


class QuantizeParams(ctypes.Structure):
    """llama_model_quantize_params of the release that package.json names."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("nthread", "ftype", "output_tensor_type", "token_embedding_type")),
        *((name, ctypes.c_bool) for name in ("allow_requantize", "quantize_output_tensor", "only_copy", "pure", "keep_split", "dry_run")),
        ("imatrix", ctypes.POINTER(ImatrixData)),
        *((name, ctypes.c_void_p) for name in ("kv_overrides", "tt_overrides", "prune_layers")),
    ]


class Gguf:
    """What a file says: numbers of its metadata, tensors as (name, shape, offset), where their descriptions begin, and where the data do."""

    def __init__(self, path):
        self.bytes, self.at, self.numbers = Path(path).read_bytes(), 4, {}
        version, tensors, keys = self.take("<IQQ")
        if self.bytes[:4] != b"GGUF" or version != 3:
            raise SystemExit(f"{path}: expected a GGUF file of version 3")
        for _ in range(keys):
            key, kind = self.text(), self.take("<I")[0]
            value = self.value(kind)
            if kind == 4:
                self.numbers[key] = struct.unpack("<I", value)[0]
        self.infos_at, self.tensors = self.at, []
        for _ in range(tensors):
            name, rank = self.text(), self.take("<I")[0]
            *shape, _, offset = self.take(f"<{rank}QIQ")
            self.tensors.append((name, shape, offset))
        self.infos = self.bytes[self.infos_at : self.at]
        self.data = self.bytes[(self.at + 31) // 32 * 32 :]

    def take(self, form):
        values = struct.unpack_from(form, self.bytes, self.at)
        self.at += struct.calcsize(form)
        return values

    def text(self):
        (length,) = self.take("<Q")
        self.at += length
        return self.bytes[self.at - length : self.at].decode()

    def value(self, kind):
        start = self.at
        if kind == STRING:
            self.text()
        elif kind == ARRAY:
            of, count = self.take("<IQ")
            for _ in range(count):
                self.value(of)
        else:
            self.at += SIZES[kind]
        return self.bytes[start : self.at]

    def floats(self, name):
        shape, offset = next((shape, offset) for tensor, shape, offset in self.tensors if tensor == name)
        return array("f", self.data[offset : offset + 4 * shape[0]])


def mean_squares(path):
    """The matrix as llama.cpp's quantiser takes it, by name of weight; all 1 where no token came."""
    matrix = Gguf(path)
    weights = [name.removesuffix(".in_sum2") for name, _, _ in matrix.tensors if name.endswith(".in_sum2")]
    entries = []
    for weight in weights:
        sums, (count,) = matrix.floats(f"{weight}.in_sum2"), matrix.floats(f"{weight}.counts")
        values = (ctypes.c_float * len(sums))(*((value / count if count > 0 else 1) for value in sums))
        entries.append(ImatrixData(weight.encode(), ctypes.cast(values, ctypes.POINTER(ctypes.c_float)), len(values)))
    return (ImatrixData * (len(entries) + 1))(*entries)


def open_llama():
    """libllama, told to say nothing but errors."""
    for name in ("libggml-base.so", "libggml.v0.5.0.so"):
        ctypes.CDLL(str(LIBRARIES / name), ctypes.RTLD_GLOBAL)
    llama = ctypes.CDLL(str(LIBRARIES / "libllama.v0.5.0.so"))
    llama.llama_model_quantize_default_params.restype = QuantizeParams
    llama.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(QuantizeParams)]
    show = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    llama.quiet = show(lambda level, text, _: sys.stderr.write(text.decode()) if level == ERROR else None)
    llama.llama_log_set(llama.quiet, None)
    return llama


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("f32", help="the F32 file of an export")
    parser.add_argument("files", nargs="+", help="other kinds of the same model")
    parser.add_argument("--imatrix", help="the importance matrix that they were made with")
    args = parser.parse_args()
    if not LIBRARIES.exists():
        raise SystemExit(f"llama.cpp is not installed; run npm install in {Path(__file__).parent} (Linux x64)")
    matrix = mean_squares(args.imatrix) if args.imatrix else None
    llama, different = open_llama(), 0
    for path in args.files:
        own = Gguf(path)
        params = llama.llama_model_quantize_default_params()
        params.ftype, params.nthread = own.numbers["general.file_type"], os.cpu_count()
        if matrix:
            params.imatrix = matrix
        with tempfile.TemporaryDirectory() as scratch:
            made = f"{scratch}/made.gguf"
            if llama.llama_model_quantize(args.f32.encode(), made.encode(), ctypes.byref(params)) != 0:
                raise SystemExit(f"{args.f32}: llama.cpp did not quantise it")
            theirs = Gguf(made)
        same = own.infos == theirs.infos and own.data == theirs.data if matrix else own.bytes == theirs.bytes
        different += not same
        print(f"{path}: {'identical' if same else 'DIFFERENT'}, {len(own.tensors)} tensors, {len(own.data):,} bytes of data")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
