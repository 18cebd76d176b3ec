B
same_lowerJ<-š?O@¹A”‡EA²úA°r¸AiÞŒE¹©\Gên2GÕU|G[G@–Dûè´F·æ@F2AôF. ´F