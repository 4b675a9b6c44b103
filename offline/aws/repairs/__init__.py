"""What moto does differently from AWS and Breakwater rests on, put right at moto's own seams.

Written against moto 5.2.5 exactly; each repair names what it changes, and a test shows each one at work.
"""
