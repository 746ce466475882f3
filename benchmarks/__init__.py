"""What the library costs, measured: `python -m benchmarks` prints it as tables.

Rule: a figure is a difference or a ratio of two variants that were measured next to each other, in the same run.
Worker processes, one per variant, stay up and take turns in random order, so that what the machine does besides hits
all of them alike. What is told is the median over many rounds.

    __main__        the program: plans, measures, prints
    workload        what is measured: calls of the real SDK on a mock transport or on real sockets
    variants        what is installed around them: nothing, this library, a peer, ...
    floor           the OpenTelemetry calls that the library makes, recorded and replayed without the library
    worker, pool    the process that runs one variant, and who tells it when
    measuring       interleaved rounds and their medians
    memory, scaling, imports    the figures that are no time per call
    report          the tables, and the goals that they are held against
    foreign         a program of its own: what a request pays that is no attempt
    profile_call    a program of its own: where the time of one call goes
"""
