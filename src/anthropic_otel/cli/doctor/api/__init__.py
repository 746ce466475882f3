"""Checks the connection to the API, with the SDK's own client.

base_url.py, proxies.py, authorities.py, key.py   what the environment sets, judged by value
names.py         the look-up of the host name, and a connect to each address
request.py       one request by the SDK's own client; steps.py the steps that its transport reports
verdicts.py      a finding for each step; answers.py for the response; remedies.py what to do, by cause
certificates.py  reads a certificate that was refused; refused_certificates.py why it was
connection.py    all of it, in order
"""
