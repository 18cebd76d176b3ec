B
Identity:0JzŸ¿àu;¿—ž¾Fè®?øU>¿2ök¿