# As requirements-alone.txt: what torch-fidelity asks for besides is not needed.
pip install --no-deps torch-fidelity==0.4.0
