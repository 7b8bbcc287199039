"""What a sampler can look at: processes, the machine, the Kinesis simulator, Flink.

Every source raises when it cannot see, which the sampler turns into a gap, and leaves out single figures that it
cannot know: the first moment of a rate, a counter that began anew, NaN.
"""
