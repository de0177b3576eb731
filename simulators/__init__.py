"""The world played back: recordings, published floods, invented scenarios, faults and load, as messages for a broker.

Everything is a stream of rows (``simulators.row``); ``simulators.replay`` turns rows into messages and plays them under
a clock, faults in between change them on the way.
"""
