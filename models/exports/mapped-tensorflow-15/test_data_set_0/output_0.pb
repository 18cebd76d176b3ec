B
Identity:0J ›F¾=GìÇ½eLò>“Àž=PiŽ¿ÚC@?³V-@·Éû?