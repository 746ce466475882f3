"""The way to the API, as the SDK's own client goes it.

base_url.py, proxies.py, authorities.py, key.py   what the environment says, judged by value
names.py       the look-up of the name, and a connect to each address
request.py     one request by the SDK's own client; steps.py what its transport told meanwhile
verdicts.py    a finding for each step; answers.py for the answer; remedies.py what to do by cause
certificates.py  who has signed the certificate that was not accepted
way.py         all of it, in order
"""
