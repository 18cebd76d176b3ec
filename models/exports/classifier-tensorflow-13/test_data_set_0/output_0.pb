B
Identity:0J('G>άχc>(W>;νT>§ο(>…C:>bÒD>»x>Μp\>’t,>